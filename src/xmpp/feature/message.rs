//! RFC 6121 §8 Message: routed to the sessions it is addressed to, or answered with an error.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::host::Host;
use crate::xmpp::jid::Jid;
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{attr, set_attr};

/// Routes a message of a logged-in phone.
///
/// # Errors
/// `service-unavailable` if nobody is there to take it, `jid-malformed` if nobody can be. The caller must
/// not answer a message that is itself an error (§8.3.1 of RFC 6120).
pub fn route(mut message: Element, bound: &Bound, host: &mut dyn Host) -> Result<(), StanzaError> {
    let to = match attr(&message, "to") {
        Some(to) => to.parse::<Jid>().map_err(|_| StanzaError::JidMalformed)?,
        // RFC 6120 §10.3.1: without an address it is for the sender's own account.
        None => Jid {
            local: Some(bound.user.to_string()),
            domain: bound.domain.to_string(),
            resource: None,
        },
    };
    set_attr(&mut message, "from", &bound.to_string());
    let ours = to.domain == *bound.domain || host.is_own_domain(&to.domain);
    if ours && to.local.is_some() && host.deliver(&to, &message) {
        Ok(())
    } else {
        Err(StanzaError::ServiceUnavailable)
    }
}
