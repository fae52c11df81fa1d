//! The delivery queue: accept, keep, send in order, take acknowledgements, forget.

use super::commits::{Commit, Then, Waiter};
use super::devices::Ping;
use super::domain::{Domain, Effect};
use super::event::{AskId, Done, Draft, Refusal};
use super::notification::{DeliveryState, Notification, NotificationId};
use super::store::{Change, Delivery, DeviceId, StoreError, Ticket};
use crate::limits;
use crate::time::{Now, calendar};
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::notification::{Content, Push};
use crate::xmpp::feature::ping;
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::xml_text;

impl Domain {
    /// Accepts a notification: it goes to the disk first, and to devices when it is there.
    pub(super) fn notify(&mut self, draft: Draft, ask: AskId, now: Now) -> Result<(), Refusal> {
        check(&draft)?;
        if self.commits.is_full() {
            return Err(Refusal::Busy);
        }
        let Some(mut devices) = self.accounts.resolve(&draft.target) else {
            return Err(Refusal::Unknown(draft.target));
        };
        // A login that has never been available is no device yet: it may go and leave nothing behind. When
        // it becomes one, it inherits what waits.
        devices.retain(|id| self.devices.get(*id).is_some_and(|device| device.stored));
        let id = NotificationId::next(self.newest, now.wall, self.random());
        self.newest = Some(id);
        let notification = Notification {
            id,
            target: draft.target,
            title: xml_text(&draft.title).into_owned(),
            message: xml_text(&draft.message).into_owned(),
            uri: xml_text(&draft.uri).into_owned(),
        };
        let at = now.wall.seconds();
        let mut changes = Vec::with_capacity(devices.len() + 1);
        changes.push(Change::PutNotification(notification));
        changes.extend(devices.iter().map(|device| {
            let state = DeliveryState::Queued;
            Change::PutDelivery(Delivery {
                notification: id,
                device: *device,
                state,
                at,
            })
        }));
        self.ledger.enter(id, &devices, at);
        for device in devices {
            if let Some(device) = self.devices.get_mut(device) {
                device.enqueue(id);
            }
        }
        self.submit(changes, Then::Notified { id }, Waiter::Ask(ask));
        Ok(())
    }

    /// A batch is durable or refused: what waited for it goes on.
    pub(super) fn stored(&mut self, ticket: Ticket, outcome: &Result<(), StoreError>, now: Now) {
        let Some(Commit { then, waiter }) = self.commits.take(ticket) else {
            return;
        };
        if let Err(error) = outcome {
            if self.trouble.as_ref() != Some(error) {
                log::error!("a write was refused: {error}");
            }
            self.trouble = Some(error.clone());
        } else if !matches!(then, Then::Nothing) && self.trouble.take().is_some() {
            log::info!("the store takes writes again");
        }
        let done = match (then, outcome) {
            (Then::Notified { id }, Ok(())) => self.notified(id, now),
            (Then::Notified { id }, Err(_)) => {
                self.take_back(id);
                Done::Changed
            }
            (Then::Registered { account, device }, Ok(())) => {
                self.registered(&account, device);
                Done::Changed
            }
            (Then::Changed { account }, Ok(())) => {
                self.changed(&account);
                Done::Changed
            }
            (Then::Removed { user }, Ok(())) => {
                // The answer has to be on the wire before the stream that carries it ends.
                self.tell(waiter, outcome, Done::Changed);
                return self.removed(&user, now);
            }
            _ => Done::Changed,
        };
        self.tell(waiter, outcome, done);
    }

    fn tell(&mut self, waiter: Waiter, outcome: &Result<(), StoreError>, done: Done) {
        match waiter {
            Waiter::Nobody => {}
            Waiter::Conn(conn) => {
                let outcome = match outcome {
                    Ok(()) => Ok(()),
                    Err(StoreError::Full) => Err(StanzaError::ResourceConstraint),
                    Err(StoreError::Failed(_)) => Err(StanzaError::InternalServerError),
                };
                self.effects.push_back(Effect::Finish(conn, outcome));
            }
            Waiter::Ask(ask) => {
                let answer = match outcome {
                    Ok(()) => Ok(done),
                    Err(StoreError::Full) => Err(Refusal::Full),
                    Err(StoreError::Failed(_)) => Err(Refusal::Failed),
                };
                self.effects.push_back(Effect::Answer(ask, answer));
            }
        }
    }

    /// The notification is on disk: devices that are there get it now.
    fn notified(&mut self, id: NotificationId, now: Now) -> Done {
        self.ledger.set_durable(id);
        let devices: Vec<DeviceId> = self
            .ledger
            .receipts(id)
            .iter()
            .map(|receipt| receipt.device)
            .collect();
        let mut sent = 0;
        for device in &devices {
            self.keep_queue_bounded(*device, now);
            if self
                .devices
                .get(*device)
                .is_some_and(super::devices::Device::is_ready)
            {
                sent += 1;
                self.effects.push_back(Effect::Pump(*device));
            }
        }
        self.keep_history_bounded(id);
        log::info!(
            "notification {id}: kept for {}, sent to {sent}",
            devices.len()
        );
        Done::Accepted {
            id,
            queued: devices.len(),
            sent,
        }
    }

    /// The disk has refused the notification: nobody has seen it, nobody will.
    fn take_back(&mut self, id: NotificationId) {
        for device in self.ledger.remove(id) {
            if let Some(device) = self.devices.get_mut(device) {
                device.dequeue(id);
            }
        }
    }

    /// Only what is on disk counts: a push that the disk may yet refuse puts nothing out.
    pub(super) fn keep_queue_bounded(&mut self, id: DeviceId, now: Now) {
        while let Some(device) = self.devices.get_mut(id)
            && device.queue.len() > self.config.push.queue
            && device
                .queue
                .partition_point(|id| self.ledger.is_durable(*id))
                > self.config.push.queue
            && let Some(oldest) = device.queue.front().copied()
        {
            device.dequeue(oldest);
            log::warn!("queue of {:?} is full, dropped {oldest}", device.label());
            self.drop_delivery(oldest, id, now);
        }
    }

    fn keep_history_bounded(&mut self, newest: NotificationId) {
        while self.ledger.len() > self.config.push.history.max(1)
            && let Some(victim) = self.ledger.least_wanted()
            && victim != newest
        {
            for id in self.ledger.remove(victim) {
                self.dropped += 1;
                if let Some(device) = self.devices.get_mut(id) {
                    device.dequeue(victim);
                    log::warn!("history is full, dropped {victim} for {:?}", device.label());
                }
            }
            self.receipts.push(Change::DeleteNotification(victim));
        }
    }

    /// Records that a device will not get a notification.
    pub(super) fn drop_delivery(&mut self, id: NotificationId, device: DeviceId, now: Now) {
        let at = now.wall.seconds();
        if let Some(delivery) = self.ledger.mark(id, device, DeliveryState::Dropped, at) {
            self.dropped += 1;
            self.receipts.push(Change::PutDelivery(delivery));
        }
    }

    /// Writes what a device can be sent now, oldest first, and a ping behind it. True if there is more, to
    /// be written when the socket has taken this.
    pub(super) fn pump(
        &mut self,
        id: DeviceId,
        bound: &Bound,
        out: &mut Vec<u8>,
        now: Now,
    ) -> bool {
        let mut sent = 0;
        let is_enough = |sent: usize, out: &[u8]| {
            sent == limits::PUMP_PUSHES || out.len() >= limits::PUMP_BYTES
        };
        while let Some(notification) = self.next_to_send(id) {
            if is_enough(sent, out) {
                break;
            }
            match self.prepare(notification) {
                Ok(Some(push)) => push.write(bound, out),
                Ok(None) => {
                    log::error!("notification {notification} has no body on disk, dropped");
                    if let Some(device) = self.devices.get_mut(id) {
                        device.dequeue(notification);
                    }
                    self.drop_delivery(notification, id, now);
                    continue;
                }
                Err(error) => {
                    log::error!("cannot read notification {notification}: {error}");
                    break;
                }
            }
            self.ledger
                .mark(notification, id, DeliveryState::Sent, now.wall.seconds());
            if let Some(link) = self
                .devices
                .get_mut(id)
                .and_then(|device| device.link.as_mut())
            {
                link.in_flight += 1;
            }
            sent += 1;
        }
        if self.has_unpinged(id) {
            self.ping(id, bound, out, now);
        }
        is_enough(sent, out) && self.next_to_send(id).is_some()
    }

    /// The oldest notification that has not been written to the device's connection. One that the disk
    /// does not have yet holds up those behind it, so that order holds.
    fn next_to_send(&self, id: DeviceId) -> Option<NotificationId> {
        let device = self.devices.get(id)?;
        let link = device.link.as_ref().filter(|_| device.is_ready())?;
        let next = device.queue.get(link.in_flight).copied()?;
        self.ledger.is_durable(next).then_some(next)
    }

    /// The stanza of a notification, made once for all its recipients.
    fn prepare(&mut self, id: NotificationId) -> Result<Option<Push>, StoreError> {
        if let Some((prepared, push)) = &self.prepared
            && *prepared == id
        {
            return Ok(Some(push.clone()));
        }
        let Some(notification) = self.store.notification(id)? else {
            return Ok(None);
        };
        let push = Push::new(&Content {
            id: &id.to_string(),
            api_key: &self.config.push.api_key,
            title: &notification.title,
            message: &notification.message,
            uri: &notification.uri,
            created: &calendar(id.seconds()),
        });
        self.prepared = Some((id, push.clone()));
        Ok(Some(push))
    }

    /// Whether something has been written to the device and no ping is on its way. While one is, what was
    /// written behind it waits for the next.
    fn has_unpinged(&self, id: DeviceId) -> bool {
        self.devices
            .get(id)
            .and_then(|device| device.link.as_ref())
            .is_some_and(|link| link.ping.is_none() && link.in_flight > 0)
    }

    /// Pings the device; an older ping is no longer waited for.
    pub(super) fn ping(&mut self, id: DeviceId, bound: &Bound, out: &mut Vec<u8>, now: Now) {
        if let Some(link) = self
            .devices
            .get_mut(id)
            .and_then(|device| device.link.as_mut())
        {
            link.pings = link.pings.wrapping_add(1);
            link.ping = Some(Ping {
                number: link.pings,
                covers: link.in_flight,
                at: now.mono,
                heard_since: false,
            });
            ping::write_ping(&ping_id(link.pings), bound, out);
        }
    }

    /// Bytes have come from the device's phone.
    pub(super) fn heard_from(&mut self, id: DeviceId) {
        let link = self
            .devices
            .get_mut(id)
            .and_then(|device| device.link.as_mut());
        if let Some(ping) = link.and_then(|link| link.ping.as_mut()) {
            ping.heard_since = true;
        }
    }

    /// The client has answered an IQ of ours: the push itself, or the ping behind it.
    pub(super) fn answered(&mut self, device: DeviceId, id: &str, result: bool, now: Now) {
        if let Ok(notification) = id.parse() {
            let state = if result {
                DeliveryState::Confirmed
            } else {
                DeliveryState::Acknowledged
            };
            self.settle(device, notification, state, now);
            return;
        }
        let Some(link) = self
            .devices
            .get_mut(device)
            .and_then(|device| device.link.as_mut())
        else {
            return;
        };
        let Some(ping) = link.ping.filter(|ping| ping_id(ping.number) == id) else {
            return;
        };
        link.ping = None;
        for _ in 0..ping.covers {
            let oldest = self
                .devices
                .get(device)
                .and_then(|device| device.queue.front().copied());
            if let Some(oldest) = oldest {
                self.settle(device, oldest, DeliveryState::Acknowledged, now);
            }
        }
        // What was written after that ping needs one of its own.
        self.effects.push_back(Effect::Pump(device));
    }

    /// A device has a notification: it is not sent again.
    pub(super) fn settle(
        &mut self,
        device: DeviceId,
        notification: NotificationId,
        state: DeliveryState,
        now: Now,
    ) {
        // An id that is not for this device moves nothing, whoever confirms it.
        let at = now.wall.seconds();
        if let Some(delivery) = self.ledger.mark(notification, device, state, at) {
            self.receipts.push(Change::PutDelivery(delivery));
        }
        if let Some(device) = self.devices.get_mut(device) {
            device.dequeue(notification);
        }
    }
}

fn ping_id(number: u32) -> String {
    format!("ping-{number}")
}

fn check(draft: &Draft) -> Result<(), Refusal> {
    for (field, text, limit) in [
        ("title", &draft.title, limits::TITLE),
        ("message", &draft.message, limits::MESSAGE),
        ("uri", &draft.uri, limits::URI),
    ] {
        if text.len() > limit {
            return Err(Refusal::TooLong { field, limit });
        }
    }
    if draft.title.trim().is_empty() && draft.message.trim().is_empty() {
        return Err(Refusal::Invalid {
            field: "message",
            why: "and title are both empty",
        });
    }
    Ok(())
}
