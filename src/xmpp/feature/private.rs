//! XEP-0049 Private XML Storage: what a user's apps keep for each other, such as bookmarks.

use minidom::Element;

use crate::limits;
use crate::xmpp::addressee::Addressee;
use crate::xmpp::error::StanzaError;
use crate::xmpp::keeper::PrivateItem;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::Iq;

/// This feature's namespace.
pub const NS: &str = "jabber:iq:private";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::get(NS, items).of_accounts(),
    Route::set(NS, change).of_accounts(),
];

/// §2.2: the element of that name and namespace, as it was kept; empty if nothing was.
fn items(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    only_own(context)?;
    let mut children = iq.payload.children();
    let (Some(asked), None) = (children.next(), children.next()) else {
        return Err(StanzaError::BadRequest);
    };
    let kept = context.host.private(&key(asked)?)?;
    let item = kept.and_then(|text| {
        let item = text.parse::<Element>();
        item.inspect_err(|_| log::error!("an element of private storage cannot be read"))
            .ok()
    });
    let item = item.unwrap_or_else(|| Element::bare(asked.name(), asked.ns()));
    let mut query = Element::bare("query", NS);
    query.append_child(item);
    Ok(Reply::With(query))
}

/// §2.1: keeps each element in place of the one with its name and namespace. An empty one needs no place.
fn change(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    only_own(context)?;
    let mut items = Vec::new();
    for element in iq.payload.children() {
        let key = key(element)?;
        let is_empty = element.nodes().next().is_none() && element.attrs().iter().next().is_none();
        let text = (!is_empty).then(|| String::from(element));
        if text
            .as_ref()
            .is_some_and(|text| text.len() > limits::PRIVATE_ITEM)
        {
            return Err(StanzaError::NotAcceptable);
        }
        items.retain(|earlier: &PrivateItem| earlier.key != key);
        items.push(PrivateItem { key, text });
    }
    if items.is_empty() {
        return Err(StanzaError::BadRequest);
    }
    context.host.change_private(items)?;
    Ok(Reply::Later)
}

/// §2.3: nobody reads what others keep.
fn only_own(context: &Context<'_>) -> Result<(), StanzaError> {
    match context.addressee {
        Addressee::Own | Addressee::Server => Ok(()),
        _ => Err(StanzaError::Forbidden),
    }
}

/// What tells one element from the others: its namespace, which must be one of its own (§2.1), and its name.
fn key(element: &Element) -> Result<String, StanzaError> {
    let namespace = element.ns();
    if namespace == NS || namespace.is_empty() {
        return Err(StanzaError::NotAcceptable);
    }
    let key = format!("{{{namespace}}}{}", element.name());
    match key.len() <= limits::DOCUMENT_NAME {
        true => Ok(key),
        false => Err(StanzaError::NotAcceptable),
    }
}
