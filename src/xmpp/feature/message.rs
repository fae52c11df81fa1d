//! RFC 6121 §5 and §8 Message: what kind it is, and to whom it goes.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::host::Host;
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::payload::{delay, hints, receipts};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::attr;

/// Type of a message (§5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of a conversation.
    Chat,
    /// No type, or one we do not know.
    Normal,
    /// An alert, to which nobody answers.
    Headline,
    /// Of a room; there are none here.
    Groupchat,
    /// An earlier message has come to nothing.
    Error,
}

/// A message on its way to a user.
#[derive(Clone, Debug)]
pub struct Message {
    /// The stanza; its addresses are written anew for each recipient.
    pub stanza: Element,
    /// Its type.
    pub kind: Kind,
    /// Whom it is for; the domain is one of ours, and there is a local part.
    pub to: Jid,
    /// Whether it waits for a reader.
    pub storing: Storing,
}

/// What becomes of a message that nobody is there to read (XEP-0160 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storing {
    /// It waits.
    Kept,
    /// It says nothing that matters later, such as that somebody is typing.
    Needless,
    /// Its sender does not want it to be kept (XEP-0334 §4.2).
    Forbidden,
}

impl Message {
    /// A message that has been on its way before, for `to`.
    #[must_use]
    pub fn again(stanza: Element, to: Jid) -> Self {
        Self {
            kind: kind(&stanza),
            storing: match kind(&stanza) {
                Kind::Chat | Kind::Normal => storing(&stanza),
                _ => Storing::Needless,
            },
            stanza,
            to,
        }
    }
}

/// Routes a message of a logged-in client. `Ok(true)` if it waits for the disk, which is to answer first.
///
/// # Errors
/// `service-unavailable` if nobody can take it, `jid-malformed` if the address is none, `not-acceptable` if it
/// is too long, `resource-constraint` if too much waits for the disk. The caller must not answer a message that
/// is itself an error (§8.3.1 of RFC 6120).
pub fn route(mut stanza: Element, bound: &Bound, host: &mut dyn Host) -> Result<bool, StanzaError> {
    let to = match attr(&stanza, "to") {
        Some(to) => to.parse::<Jid>().map_err(|_| StanzaError::JidMalformed)?,
        // RFC 6120 §10.3.1: without an address it is for the sender's own account.
        None => Jid {
            local: Some(bound.user.to_string()),
            domain: bound.domain.to_string(),
            resource: None,
        },
    };
    let ours = to.domain == *bound.domain || host.is_own_domain(&to.domain);
    let Some(local) = to.local.as_deref().filter(|_| ours) else {
        return Err(StanzaError::ServiceUnavailable);
    };
    if local == host.config().push.from && !is_talk(&stanza, host) {
        return Ok(false);
    }
    delay::drop_forged(&mut stanza, |from| {
        let domain = from.parse::<Jid>().ok().map(|jid| jid.domain);
        domain.is_some_and(|domain| domain == *bound.domain || host.is_own_domain(&domain))
    });
    let message = Message {
        kind: kind(&stanza),
        storing: storing(&stanza),
        stanza,
        to,
    };
    host.send(message, bound)
}

/// Takes in what clients say of pushes to the address they come from: that they have one (XEP-0184), or that
/// they cannot show it, which says that they have it too. True if a message says something else, which there is
/// nobody to read, unless an account has had that name for longer.
fn is_talk(message: &Element, host: &mut dyn Host) -> bool {
    if kind(message) == Kind::Error {
        if let Some(id) = attr(message, "id") {
            host.answered(id, false);
        }
        return false;
    }
    match receipts::received(message) {
        Some(id) => {
            host.confirmed(id);
            false
        }
        None => message.has_child("body", ns::CLIENT),
    }
}

fn kind(message: &Element) -> Kind {
    match attr(message, "type") {
        Some("chat") => Kind::Chat,
        Some("headline") => Kind::Headline,
        Some("groupchat") => Kind::Groupchat,
        Some("error") => Kind::Error,
        _ => Kind::Normal,
    }
}

fn storing(message: &Element) -> Storing {
    let has_body = message.has_child("body", ns::CLIENT);
    if hints::has(message, "no-store") {
        // Nobody misses what would not have been kept anyway.
        return if has_body {
            Storing::Forbidden
        } else {
            Storing::Needless
        };
    }
    if has_body || hints::has(message, "store") {
        Storing::Kept
    } else {
        Storing::Needless
    }
}
