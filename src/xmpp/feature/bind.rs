//! RFC 6120 §7 Resource Binding and RFC 3921 §3 Session: after `jabber:iq:auth` both are already done.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, text_element};

/// Resource binding.
pub const NS: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Session establishment.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::set(NS, bind), Route::set(SESSION, session)];

/// Names the full JID the session has, whatever resource is asked for.
fn bind(_iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let bound = context.bound.ok_or(StanzaError::NotAuthorized)?;
    let mut bind = Element::bare("bind", NS);
    bind.append_child(text_element("jid", NS, &bound.to_string()));
    Ok(Reply::With(bind))
}

fn session(_iq: &Iq<'_>, _context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    Ok(Reply::Empty)
}
