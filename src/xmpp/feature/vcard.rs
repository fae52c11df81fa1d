//! XEP-0054 vcard-temp: a user's card, which other users may read. The server and the address pushes come from
//! have one too.

use minidom::Element;

use crate::limits;
use crate::xmpp::addressee::Addressee;
use crate::xmpp::error::StanzaError;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, text_element};

/// This feature's namespace.
pub const NS: &str = "vcard-temp";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::get(NS, card)
        .of_accounts()
        .about_others()
        .about_pushes(),
    Route::set(NS, change),
];

/// §3.1 and §3.3. There is no telling whether another user has no card, is unknown, or does not want to hear of
/// who asks.
fn card(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if iq.payload.name() != "vCard" {
        return Err(StanzaError::BadRequest);
    }
    let bound = context.bound.ok_or(StanzaError::NotAuthorized)?;
    let (user, without) = match &context.addressee {
        Addressee::User(user) => (&**user, StanzaError::ServiceUnavailable),
        Addressee::Own => (&*bound.user, StanzaError::ItemNotFound),
        Addressee::Push => return Ok(Reply::With(own_card("Notifications"))),
        Addressee::Server | Addressee::Session(_) => {
            return Ok(Reply::With(own_card("lanpush")));
        }
    };
    let card = context.host.vcard(user)?.ok_or(without)?;
    card.parse().map(Reply::With).map_err(|_| {
        log::error!("the vCard of {user:?} cannot be read");
        without
    })
}

fn own_card(name: &str) -> Element {
    let mut card = Element::bare("vCard", NS);
    card.append_child(text_element("FN", NS, name));
    card.append_child(text_element(
        "DESC",
        NS,
        "The push service of this network. Nobody reads what is sent here.",
    ));
    card
}

/// §3.2: replaces the card; an empty one is none.
fn change(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if iq.payload.name() != "vCard" {
        return Err(StanzaError::BadRequest);
    }
    if context.addressee != Addressee::Own {
        return Err(StanzaError::Forbidden);
    }
    let is_empty = iq.payload.nodes().next().is_none();
    let card = (!is_empty).then(|| String::from(iq.payload));
    if card.as_ref().is_some_and(|card| card.len() > limits::VCARD) {
        return Err(StanzaError::NotAcceptable);
    }
    context.host.change_vcard(card)?;
    Ok(Reply::Later)
}
