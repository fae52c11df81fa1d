//! The two forms of a push: the notification of androidpn's clients, and the message of chat apps.

use super::domain::Domain;
use super::head::Head;
use super::notification::{Notification, NotificationId, Priority};
use super::store::{DeviceId, StoreError};
use crate::limits;
use crate::time::{Now, calendar};
use crate::xmpp::feature::notification::Push;
use crate::xmpp::feature::push_message::{Address, PushMessage};
use crate::xmpp::payload::content::Content;
use crate::xmpp::session::Bound;

/// The push that was serialised last, in the forms that were needed: a broadcast needs it once per device.
#[derive(Debug, Default)]
pub struct Prepared {
    id: Option<NotificationId>,
    notification: Option<Push>,
    message: Option<PushMessage>,
    /// The earlier notification it takes back.
    withdraws: Option<NotificationId>,
}

impl Domain {
    /// Writes a push to a device's session. `Ok(false)` if the disk has no such notification.
    pub(super) fn write_push(
        &mut self,
        id: NotificationId,
        device: DeviceId,
        bound: &Bound,
        out: &mut Vec<u8>,
        now: Now,
    ) -> Result<bool, StoreError> {
        let as_message = self.gets_messages(device);
        if !self.prepare(id, as_message)? {
            return Ok(false);
        }
        let old = |id: Option<NotificationId>| id.map(|old| old.to_string());
        if !as_message {
            let replaces = old(self.replaced_on(id, device));
            if let Some(push) = &self.prepared.notification {
                push.write(bound, replaces.as_deref(), out);
            }
            return Ok(true);
        }
        let replaces = old(self.begun_by(id, device));
        let retracts = old(self.taken_back_on(device));
        if let Some(message) = &self.prepared.message {
            let address = Address {
                bound,
                from: &self.config.push.from,
                kind: self.config.push.message_type.as_str(),
                replaces: replaces.as_deref(),
                retracts: retracts.as_deref(),
                late_since: self.late_since(id, now),
            };
            message.write(&address, out);
        }
        Ok(true)
    }

    /// Whether a device's session is one of a chat app that does not read notifications of androidpn.
    fn gets_messages(&self, device: DeviceId) -> bool {
        let link = self.devices.get(device).and_then(|one| one.link.as_ref());
        let chat = link.and_then(|link| link.chat.as_ref());
        chat.is_some_and(|chat| !chat.abilities.notifications)
    }

    /// When a notification was meant to come, if that was a good while ago and the clock could be trusted.
    fn late_since(&self, id: NotificationId, now: Now) -> Option<u64> {
        let begun = u64::from(self.ledger.head(id)?.begun);
        let late = now.wall.seconds().saturating_sub(begun) >= limits::LATE.as_secs();
        (begun > 0 && now.wall.trusted && late).then_some(begun)
    }

    /// The message a withdrawal takes back on a device whose app understands that: the first one in whose
    /// place the notification is.
    fn taken_back_on(&self, device: DeviceId) -> Option<NotificationId> {
        let link = self.devices.get(device)?.link.as_ref()?;
        link.chat
            .as_ref()
            .filter(|chat| chat.abilities.retractions)?;
        let withdrawn = self.prepared.withdraws?;
        Some(self.begun_by(withdrawn, device).unwrap_or(withdrawn))
    }

    /// Makes the stanza of a notification, once for all its recipients; false if the disk does not have it.
    fn prepare(&mut self, id: NotificationId, as_message: bool) -> Result<bool, StoreError> {
        if self.prepared.id != Some(id) {
            self.prepared = Prepared {
                id: Some(id),
                ..Prepared::default()
            };
        }
        let is_ready = if as_message {
            self.prepared.message.is_some()
        } else {
            self.prepared.notification.is_some()
        };
        if is_ready {
            return Ok(true);
        }
        let Some(notification) = self.store.notification(id)? else {
            return Ok(false);
        };
        let expires = self.ledger.head(id).and_then(Head::expires).map(u64::from);
        with_content(&notification, &self.config.push.api_key, |content| {
            if as_message {
                self.prepared.message = Some(PushMessage::new(content, expires));
            } else {
                self.prepared.notification = Some(Push::new(content));
            }
        });
        self.prepared.withdraws = notification.extras.withdraws;
        Ok(true)
    }
}

fn with_content(notification: &Notification, api_key: &str, make: impl FnOnce(&Content<'_>)) {
    let id = notification.id;
    let extras = &notification.extras;
    let actions = extras.actions.iter().map(|link| (&*link.label, &*link.uri));
    let withdraws = extras.withdraws.map(|id| id.to_string());
    make(&Content {
        id: &id.to_string(),
        api_key,
        title: &notification.title,
        message: notification.shown_message(),
        uri: &notification.uri,
        created: &calendar(id.seconds()),
        image: &extras.image,
        priority: Some(extras.priority.number()).filter(|_| extras.priority != Priority::default()),
        tags: &extras.tags,
        actions: &actions.collect::<Vec<_>>(),
        is_silent: extras.silent,
        sequence: &extras.sequence,
        withdraws: withdraws.as_deref(),
    });
}
