//! Copies of messages for the other apps of who sends or receives them (XEP-0280).

use super::chat::Copies;
use super::domain::Domain;
use super::store::DeviceId;
use crate::limits;
use crate::xmpp::feature::carbons::{self, Way};
use crate::xmpp::stanza;

impl Domain {
    /// Sends copies to those of a user's apps that want them and do not have the message.
    pub(super) fn send_carbons(
        &mut self,
        copies: &mut Copies<'_>,
        way: Way,
        user: &str,
        without: &[DeviceId],
    ) {
        let wanted = self.accounts.devices(user).iter().copied().filter(|id| {
            let link = self
                .devices
                .get(*id)
                .and_then(|device| device.link.as_ref());
            let chat = link.and_then(|link| link.chat.as_ref());
            chat.is_some_and(|chat| chat.carbons) && !without.contains(id)
        });
        let wanted: Vec<DeviceId> = wanted.take(limits::CHAT_SESSIONS).collect();
        for id in wanted {
            let Some(bound) = self.bound(id) else {
                continue;
            };
            let message = copies.in_name(Some(&bound.domain));
            // §8: only a copy from the user's own bare JID is believed.
            let from = format!("{}@{}", bound.user, bound.domain);
            let copy = carbons::copy(&message, way, &from, &bound.to_string());
            let mut bytes = Vec::new();
            stanza::write(copy, &mut bytes);
            match way {
                Way::Sent => self.deliver(id, bytes.into()),
                Way::Received => self.deliver_shared(id, bytes.into(), copies.fate.clone()),
            }
        }
    }
}
