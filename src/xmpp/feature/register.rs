//! XEP-0077 In-Band Registration: get an account, change its password, give it up.

use minidom::Element;

use crate::limits;
use crate::xmpp::error::StanzaError;
use crate::xmpp::host::{AccountChange, Host, NewPassword, Registration};
use crate::xmpp::jid;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, child_text, child_text_verbatim, has_child, text_element};

/// This feature's namespace.
pub const NS: &str = "jabber:iq:register";
/// What the stream features announce (§7).
pub const STREAM_FEATURE: &str = "<register xmlns='http://jabber.org/features/iq-register'/>";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::get(NS, fields).before_login(),
    Route::set(NS, submit).before_login(),
];

/// §3.1: which fields a registration has, or after login what they hold.
fn fields(_iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let mut query = Element::bare("query", NS);
    if let Some(bound) = context.bound {
        let (email, name) = context.host.registered_fields()?;
        query.append_child(Element::bare("registered", NS));
        query.append_child(text_element("username", NS, &bound.user));
        query.append_child(Element::bare("password", NS));
        query.append_child(text_element("email", NS, &email));
        query.append_child(text_element("name", NS, &name));
    } else if context.host.may_register() {
        for field in ["username", "password", "email", "name"] {
            query.append_child(Element::bare(field, NS));
        }
    } else {
        return Err(StanzaError::NotAllowed);
    }
    Ok(Reply::With(query))
}

fn submit(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let remove = has_child(iq.payload, "remove");
    match (context.bound.is_some(), remove) {
        (true, true) => context.host.remove_account().map(|()| Reply::Later),
        (true, false) => change(iq, context),
        (false, true) => Err(StanzaError::NotAuthorized),
        (false, false) => register(iq, context),
    }
}

/// §3.1. A phone that repeats its registration gets the same answer again: androidpn's clients never
/// recover from a refusal.
fn register(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if !context.host.may_register() {
        return Err(StanzaError::NotAllowed);
    }
    let username = child_text(iq.payload, "username");
    let password = child_text_verbatim(iq.payload, "password").unwrap_or_default();
    if username.is_empty() {
        return Err(StanzaError::NotAcceptable);
    }
    check_password(&password)?;
    let user = jid::localpart(&username).ok_or(StanzaError::JidMalformed)?;
    let registration = Registration {
        password: new_password(password, context),
        email: field(iq.payload, "email")?.unwrap_or_default(),
        name: field(iq.payload, "name")?.unwrap_or_default(),
        user,
    };
    let later = context.host.register(registration)?;
    Ok(if later { Reply::Later } else { Reply::Empty })
}

/// Whether a stanza would make an account: one that repeats a registration does not.
#[must_use]
pub fn is_newcomer(stanza: &Element, host: &dyn Host) -> bool {
    let Some(query) = stanza.get_child("query", NS) else {
        return false;
    };
    let user = jid::localpart(&child_text(query, "username"));
    !has_child(query, "remove") && user.is_some_and(|user| !host.is_user(&user))
}

/// §3.3: change one's own password; name and e-mail address may come along.
fn change(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let username = child_text(iq.payload, "username");
    let own = context.bound.map(|bound| bound.user.to_string());
    if !username.is_empty() && jid::localpart(&username) != own {
        return Err(StanzaError::NotAllowed);
    }
    let password = child_text_verbatim(iq.payload, "password");
    if let Some(password) = &password {
        check_password(password)?;
    }
    let change = AccountChange {
        password: password.map(|password| new_password(password, context)),
        email: field(iq.payload, "email")?,
        name: field(iq.payload, "name")?,
        ..AccountChange::default()
    };
    if change == AccountChange::default() {
        return Err(StanzaError::BadRequest);
    }
    context.host.change_account(change).map(|()| Reply::Later)
}

/// What came over the network in the clear may be kept so, for clients that log in with a digest.
fn new_password(text: String, context: &Context<'_>) -> NewPassword {
    NewPassword {
        text,
        recoverable: !context.secure,
    }
}

fn check_password(password: &str) -> Result<(), StanzaError> {
    if password.trim().is_empty() || password.len() > limits::PASSWORD {
        return Err(StanzaError::NotAcceptable);
    }
    Ok(())
}

fn field(query: &Element, name: &str) -> Result<Option<String>, StanzaError> {
    if !has_child(query, name) {
        return Ok(None);
    }
    let text = child_text(query, name);
    if text.len() > limits::REGISTERED_FIELD {
        return Err(StanzaError::NotAcceptable);
    }
    Ok(Some(text))
}
