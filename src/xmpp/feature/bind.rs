//! RFC 6120 §7 Resource Binding and RFC 3921 §3 Session: after `jabber:iq:auth` both are already done.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::host::Login;
use crate::xmpp::jid;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{Iq, child_text, text_element};

/// Resource binding.
pub const NS: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Session establishment.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// What the stream features announce after login (§7.4). Sessions are for clients of before RFC 6120; it has
/// been agreed since that they may leave them out.
pub const STREAM_FEATURES: &str = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
    <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::set(NS, bind).before_bind(),
    Route::set(SESSION, session),
];

/// §7.6 and §7.7: the resource the client asks for, or one of the server's making.
fn bind(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if let Some(bound) = context.bound {
        // After `jabber:iq:auth` the answer is what the session has, whatever is asked for.
        return match context.host.login() {
            Some(Login::Legacy) => Ok(Reply::With(jid(bound))),
            _ => Err(StanzaError::NotAllowed),
        };
    }
    let user = context.user.ok_or(StanzaError::NotAuthorized)?;
    let asked = child_text(iq.payload, "resource");
    let asked = match asked.as_str() {
        "" => None,
        asked => Some(jid::resource(asked).ok_or(StanzaError::BadRequest)?),
    };
    let (user, resource) = context.host.bind(user, asked, Login::Sasl)?;
    let bound = Bound {
        domain: context.host.domain_name(context.domain),
        user,
        resource,
    };
    context.host.chats_in(&bound.domain);
    let payload = jid(&bound);
    Ok(Reply::LoggedIn(bound, Some(payload)))
}

fn jid(bound: &Bound) -> Element {
    let mut bind = Element::bare("bind", NS);
    bind.append_child(text_element("jid", NS, &bound.to_string()));
    bind
}

fn session(_iq: &Iq<'_>, _context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    Ok(Reply::Empty)
}
