//! XEP-0198 §5: what becomes of stanzas whose reader is gone for good. Messages wait on the disk like those that
//! came while nobody was there.

use std::rc::Rc;

use minidom::Element;

use super::chat::Sender;
use super::commits::Waiter;
use super::domain::Domain;
use super::management::Managed;
use super::store::DeviceId;
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::carbons;
use crate::xmpp::feature::message::{Message, Storing};
use crate::xmpp::jid::Jid;
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, attr};

impl Domain {
    /// A device's managed session is over, and this is what its client has not acknowledged.
    pub(super) fn undelivered(&mut self, device: DeviceId, managed: Option<Box<Managed>>) {
        let Some(managed) = managed else {
            return;
        };
        let bound = managed.bound.clone();
        for bytes in managed.into_lost() {
            let Some(stanza) = stanza::read(&bytes) else {
                continue;
            };
            let stanza = carbons::original(stanza, &bound.user);
            let from = attr(&stanza, "from").and_then(|from| from.parse::<Jid>().ok());
            let Some(from) = from.filter(|from| from.local.is_some()) else {
                continue;
            };
            // Whoever has asked something is told by `between.rs`.
            if stanza.name() == "message" {
                self.keep_undelivered(device, stanza, &from, &bound);
            }
        }
    }

    fn keep_undelivered(&mut self, device: DeviceId, stanza: Element, from: &Jid, bound: &Bound) {
        let to = Jid {
            local: Some(bound.user.to_string()),
            domain: bound.domain.to_string(),
            resource: None,
        };
        let message = Message::again(stanza, to);
        if message.storing != Storing::Kept {
            return;
        }
        let sender = Sender {
            device,
            bound: &sender_of(from, bound),
            waiter: Waiter::Nobody,
        };
        if let Err(error) = self.keep_message(&message, sender, self.clock) {
            log::warn!(
                "a message that {:?} has not acknowledged is lost: {}",
                bound.user,
                error.condition()
            );
            self.say_unavailable(&message.stanza, from);
        }
    }

    /// Tells the sender of a stanza that nobody is there.
    fn say_unavailable(&mut self, lost: &Element, from: &Jid) {
        let own = self
            .accounts
            .devices(from.local.as_deref().unwrap_or_default());
        let sender = own.iter().copied().find(|id| {
            let device = self.devices.get(*id);
            device.is_some_and(|device| {
                device.link.is_some() && device.resource.as_deref() == from.resource.as_deref()
            })
        });
        if let Some(sender) = sender
            && let Some(bound) = self.bound(sender)
        {
            let mut out = Vec::new();
            let error = StanzaError::ServiceUnavailable;
            stanza::write_error(lost, &bound.to_string(), error, &mut out);
            self.deliver(sender, out.into());
        }
    }
}

fn sender_of(from: &Jid, reader: &Bound) -> Bound {
    Bound {
        domain: Rc::clone(&reader.domain),
        user: from.local.as_deref().unwrap_or_default().into(),
        resource: from.resource.as_deref().unwrap_or_default().into(),
    }
}
