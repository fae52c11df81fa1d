//! The delivery queue: send in order, take acknowledgements, forget.

use super::commits::{Commit, Ended, Then, Waiter};
use super::devices::Ping;
use super::domain::{Domain, Effect};
use super::event::{Done, Refusal};
use super::notification::{DeliveryState, NotificationId};
use super::store::{Change, DeviceId, StoreError, Ticket};
use crate::limits;
use crate::time::Now;
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::{management, ping};
use crate::xmpp::session::Bound;

impl Domain {
    /// A batch is durable or refused: what waited for it goes on.
    pub(super) fn stored(&mut self, ticket: Ticket, outcome: &Result<(), StoreError>, now: Now) {
        let Some(Commit { then, waiter }) = self.commits.take(ticket) else {
            return;
        };
        let late = self.late_answers.remove(&ticket);
        if let Err(error) = outcome {
            if self.trouble.as_ref() != Some(error) {
                log::error!("a write was refused: {error}");
            }
            self.trouble = Some(error.clone());
        } else if !matches!(then, Then::Nothing { .. }) && self.trouble.take().is_some() {
            log::info!("the store takes writes again");
        }
        let done = match outcome {
            Ok(()) => match then {
                Then::Removed { user, contacts } => {
                    // The answer has to be on the wire before the stream that carries it ends.
                    self.answer(waiter, outcome, Done::Changed);
                    self.contacts_stored(contacts, true);
                    return self.removed(&user, now);
                }
                then => self.take_effect(then, now),
            },
            Err(error) => {
                self.take_no_effect(then, error, now);
                Done::Changed
            }
        };
        if outcome.is_ok() {
            self.write_again();
        }
        self.answer(waiter, outcome, done);
        if let Some(late) = late {
            self.give_late_answer(&late, outcome);
        }
    }

    fn take_effect(&mut self, then: Then, now: Now) -> Done {
        match then {
            Then::Notified { head, ended } => return self.notified(head, &ended, now),
            Then::Withdrawn {
                ended,
                notices,
                told,
            } => {
                let spared = self.end_all(&ended);
                for head in notices {
                    self.notified(head, &Ended::default(), now);
                }
                return Done::Withdrawn { spared, told };
            }
            Then::Registered {
                account,
                device,
                invitation,
            } => {
                self.registered(&account, device);
                if let Some(digest) = invitation {
                    self.token_used(&digest);
                }
            }
            Then::Invited { new, .. } => return Done::Invited(Box::new(new)),
            Then::Changed { account } => self.changed(&account),
            Then::Kept { user, .. } => self.kept(&user),
            Then::Read { user } => self.forgot_messages(&user, true),
            Then::Contacts(contacts) => self.contacts_stored(contacts, true),
            Then::Blocked(edit) => self.has_blocked(&edit),
            Then::Documents { .. }
            | Then::Removed { .. }
            | Then::Uninvited { .. }
            | Then::Nothing { .. } => {}
        }
        Done::Changed
    }

    fn take_no_effect(&mut self, then: Then, error: &StoreError, now: Now) {
        let keys = match &then {
            Then::Nothing { keys } => keys.as_slice(),
            _ => &[],
        };
        self.unwritten.refused(keys, now);
        match then {
            Then::Notified { head, ended } => {
                self.let_go(&ended, now);
                if self.ledger.is_durable(head.id) {
                    self.not_fired(head.id, error, now);
                } else {
                    self.take_back(head.id);
                }
            }
            Then::Withdrawn { ended, notices, .. } => {
                self.let_go(&ended, now);
                notices.iter().for_each(|head| self.take_back(head.id));
            }
            Then::Kept { bytes, .. } => self.not_kept(bytes),
            Then::Read { user } => self.forgot_messages(&user, false),
            Then::Contacts(contacts) | Then::Removed { contacts, .. } => {
                self.contacts_stored(contacts, false);
            }
            Then::Registered {
                invitation: Some(digest),
                ..
            } => self.invitations.give_back(&digest),
            then @ (Then::Invited { .. } | Then::Uninvited { .. }) => self.tokens_not_stored(then),
            _ => {}
        }
    }

    fn answer(&mut self, waiter: Waiter, outcome: &Result<(), StoreError>, done: Done) {
        match waiter {
            Waiter::Nobody => {}
            Waiter::Conn(conn) => {
                let outcome = outcome.as_ref().copied().map_err(stanza_error);
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

    /// Writes what a device can be sent now, oldest first, and a ping behind it. True if there is more, to
    /// be written when the socket has taken this.
    pub(super) fn pump(
        &mut self,
        id: DeviceId,
        bound: &Bound,
        out: &mut Vec<u8>,
        now: Now,
    ) -> bool {
        if self.holds_pushes(id, now) {
            return false;
        }
        let mut sent = 0;
        let is_enough = |sent: usize, out: &[u8]| {
            sent == limits::PUMP_PUSHES || out.len() >= limits::PUMP_BYTES
        };
        while let Some(notification) = self.next_to_send(id) {
            if is_enough(sent, out) {
                break;
            }
            if self.has_expired(notification, now) {
                // It waited for the disk meanwhile.
                self.expire(notification, now);
                continue;
            }
            match self.write_push(notification, id, bound, out, now) {
                Ok(true) => {}
                Ok(false) => {
                    log::error!("notification {notification} has no body on disk, dropped");
                    if let Some(device) = self.devices.get_mut(id) {
                        device.dequeue(notification);
                    }
                    self.drop_delivery(notification, id, now);
                    continue;
                }
                Err(error) => {
                    // With a thousand phones a broken disk is one line, not a thousand.
                    if self.unread.failed(id, now) {
                        log::error!("cannot read notification {notification}: {error}");
                    }
                    break;
                }
            }
            self.advance(notification, id, DeliveryState::Sent, now.wall.seconds());
            if let Some(link) = self.link_mut(id) {
                link.in_flight += 1;
            }
            self.sent_push(id, notification);
            sent += 1;
        }
        if self.has_unpinged(id) {
            self.ping(id, bound, out, now);
        }
        let more = is_enough(sent, out) && self.next_to_send(id).is_some();
        if sent > 0 && !more {
            self.hold_again(id);
        }
        more
    }

    /// The oldest notification that has not been written to the device's connection. One that waits for the
    /// disk holds up those behind it, so that order holds.
    fn next_to_send(&self, id: DeviceId) -> Option<NotificationId> {
        let device = self.devices.get(id)?;
        let link = device.link.as_ref().filter(|_| device.is_ready())?;
        let next = device.queue.get(link.in_flight).copied()?;
        self.ledger.may_be_sent(next).then_some(next)
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
            let managed = link.is_managed();
            link.pings = link.pings.wrapping_add(1);
            link.ping = Some(Ping {
                number: link.pings,
                // Who counts says itself what has arrived.
                covers: if managed { 0 } else { link.in_flight },
                at: now.mono,
                heard_since: false,
            });
            if managed {
                out.extend_from_slice(management::REQUEST);
            } else {
                ping::write_ping(&ping_id(link.pings), bound, out);
            }
        }
        self.asked(id);
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
        if self.has_read(device, id) {
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
        if let Some(delivery) = self.advance(notification, device, state, at) {
            self.receipts.push(Change::PutDelivery(delivery));
        }
        if let Some(known) = self.devices.get_mut(device) {
            let in_flight = known.is_in_flight(notification);
            if known.dequeue(notification) && !in_flight {
                // It may have held up what lay behind it.
                self.effects.push_back(Effect::Pump(device));
            }
        }
    }
}

/// What a client is told when the disk refuses something.
pub(super) fn stanza_error(error: &StoreError) -> StanzaError {
    match error {
        StoreError::Full => StanzaError::ResourceConstraint,
        StoreError::Failed(_) => StanzaError::InternalServerError,
    }
}

fn ping_id(number: u32) -> String {
    format!("ping-{number}")
}
