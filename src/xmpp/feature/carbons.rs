//! XEP-0280 Message Carbons: every app of a user sees what the user's other apps send and receive.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::payload::{hints, receipts};
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, attr, name};

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:carbons:2";
/// XEP-0297: a stanza inside another.
const FORWARD: &str = "urn:xmpp:forward:0";
/// XEP-0085: what somebody does in a chat.
const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::set(NS, switch).of_accounts()];

/// Whether a copy goes to those who would have sent a message, or received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Another app of the user has sent it.
    Sent,
    /// Another app of the user has received it.
    Received,
}

/// §4 and §5: asking twice for the same is no error.
fn switch(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let wanted = match iq.payload.name() {
        "enable" => true,
        "disable" => false,
        _ => return Err(StanzaError::BadRequest),
    };
    context.host.wants_carbons(wanted)?;
    Ok(Reply::Empty)
}

/// §6: whether a message is copied. It belongs to a chat between two, and its sender has nothing against it.
#[must_use]
pub fn is_copied(message: &Element) -> bool {
    let says_something = || {
        message.has_child("body", ns::CLIENT)
            || receipts::received(message).is_some()
            || message.children().any(|child| child.has_ns(CHAT_STATES))
    };
    let belongs = match attr(message, "type") {
        Some("chat") => true,
        Some("groupchat" | "headline" | "error") => false,
        _ => says_something(),
    };
    belongs && !message.has_child("private", NS) && !hints::has(message, "no-copy")
}

/// What asks the servers for no copies is not for the reader (§6).
pub fn take_out_private(message: &mut Element) {
    while message.remove_child("private", NS).is_some() {}
}

/// §8: the copy of a message for one app of `user`, who has sent or received it with another.
#[must_use]
pub fn copy(message: &Element, way: Way, user: &str, to: &str) -> Element {
    let way = match way {
        Way::Sent => "sent",
        Way::Received => "received",
    };
    let forwarded = Element::builder("forwarded", FORWARD).append(message.clone());
    let mut copy = Element::builder("message", ns::CLIENT)
        .attr(name("from"), user)
        .attr(name("to"), to);
    if let Some(kind) = attr(message, "type") {
        copy = copy.attr(name("type"), kind);
    }
    copy.append(Element::builder(way, NS).append(forwarded))
        .build()
}

/// The message that an app of `user` has got a copy of, if another has received it; any other stanza as it is.
#[must_use]
pub fn original(stanza: Element, user: &str) -> Element {
    let from = attr(&stanza, "from").and_then(|from| from.parse::<Jid>().ok());
    // §11: nobody else makes copies.
    let is_ours =
        from.is_some_and(|from| from.local.as_deref() == Some(user) && from.resource.is_none());
    let forwarded = stanza.get_child("received", NS);
    let forwarded = forwarded.and_then(|received| received.get_child("forwarded", FORWARD));
    let original = forwarded.and_then(|forwarded| forwarded.get_child("message", ns::CLIENT));
    match original.filter(|_| is_ours) {
        Some(original) => original.clone(),
        None => stanza,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied() {
        for (message, copied) in [
            ("<message type='chat'/>", true),
            ("<message type='chat'><body>a</body></message>", true),
            ("<message><body>a</body></message>", true),
            ("<message type='new'><body>a</body></message>", true),
            ("<message/>", false),
            (
                "<message><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
                true,
            ),
            (
                "<message><received xmlns='urn:xmpp:receipts' id='1'/></message>",
                true,
            ),
            ("<message type='headline'><body>a</body></message>", false),
            ("<message type='groupchat'><body>a</body></message>", false),
            ("<message type='error'><body>a</body></message>", false),
            (
                "<message type='chat'><private xmlns='urn:xmpp:carbons:2'/></message>",
                false,
            ),
            (
                "<message type='chat'><no-copy xmlns='urn:xmpp:hints'/></message>",
                false,
            ),
        ] {
            let text = message.replacen("<message", "<message xmlns='jabber:client'", 1);
            assert_eq!(is_copied(&text.parse().unwrap()), copied, "{message}");
        }
    }
}
