//! Time's work on notifications, by a trusted wall clock only: what is scheduled fires, what has a time to
//! live expires, what is old is forgotten.

use super::accept::trusted_second;
use super::domain::Domain;
use super::head::{Head, Over};
use super::notification::{DeliveryState, NotificationId};
use super::receipt::short;
use super::store::{Change, DeviceId};
use super::timetable::Due;
use crate::time::{Instant, Now};

impl Domain {
    /// Does what the clock says is due; to be called with every event.
    pub(super) fn on_time(&mut self, now: Now) {
        self.clock = now;
        self.retry_writes(now);
        self.retry_reads(now);
        if !now.wall.trusted {
            return;
        }
        self.begin_counting(now);
        let second = short(now.wall.seconds());
        while let Some((due, id)) = self.timetable.take_due(second) {
            if self.ledger.is_held(id) {
                // The disk is about to settle it; then it is looked at again.
                self.timetable.add(second.saturating_add(1), due, id);
                continue;
            }
            match due {
                Due::Fire => self.fire(id, now),
                Due::Expire => self.expire(id, now),
                Due::Forget => self.forget(id, now),
            }
        }
    }

    /// When [`on_time`](Self::on_time) has something to do, as far as the clock of the last event tells.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let wall = self.clock.wall;
        let due = self.timetable.next_due().filter(|_| wall.trusted)?;
        let wait = (u64::from(due) * 1000).saturating_sub(wall.millis);
        Some(Instant(self.clock.mono.0.saturating_add(wait)))
    }

    /// Enters everything that is kept anew, after a start or for another length of the history.
    pub(super) fn make_timetable(&mut self) {
        self.timetable.clear();
        let days = self.config.push.history_days;
        for head in self
            .ledger
            .heads()
            .filter(|head| self.ledger.is_durable(head.id))
        {
            self.timetable.enter(head, days);
        }
    }

    /// The clock can be trusted: what came before it could begins to count now.
    fn begin_counting(&mut self, now: Now) {
        if self.timetable.unbegun().is_empty() {
            return;
        }
        let ids: Vec<NotificationId> = self.timetable.unbegun().iter().copied().collect();
        for id in ids {
            if self.ledger.is_held(id) {
                continue;
            }
            if let Some(head) = self.ledger.head(id).copied() {
                let begun = trusted_second(now);
                self.change_head(head, Head { begun, ..head });
            }
        }
    }

    /// Whether the time to live of a notification is over.
    pub(super) fn has_expired(&self, id: NotificationId, now: Now) -> bool {
        let end = self.ledger.head(id).and_then(Head::expires);
        now.wall.trusted && end.is_some_and(|end| u64::from(end) <= now.wall.seconds())
    }

    /// Ends a notification whose time to live is over.
    pub(super) fn expire(&mut self, id: NotificationId, now: Now) {
        let over = Over {
            state: DeliveryState::Expired,
            at: short(now.wall.seconds()),
        };
        if self.ledger.is_waited_for(id) {
            let head = self.end(id, over);
            self.receipts.extend(head.map(Change::PutHead));
        }
    }

    /// Ends a notification for every device that has not got it, and returns its head. What is on its way
    /// over a connection may still arrive; it ends when that connection does.
    ///
    /// The devices' states are not written one by one: they follow from the head.
    pub(super) fn end(&mut self, id: NotificationId, over: Over) -> Option<Head> {
        let old = *self.ledger.head(id)?;
        if old.over.is_some() {
            return None;
        }
        let head = Head {
            over: Some(over),
            ..old
        };
        self.replace_head(old, head);
        for device in self.ledger.waiting_for(id) {
            let in_flight = self
                .devices
                .get(device)
                .is_some_and(|known| known.is_in_flight(id));
            if !in_flight {
                self.end_for(id, device, over);
            }
        }
        self.answer_waits(id);
        Some(head)
    }

    /// A connection is gone: of what was on its way, what has ended meanwhile is not sent again.
    pub(super) fn end_what_was_in_flight(&mut self, device: DeviceId, in_flight: usize) {
        let Some(known) = self.devices.get(device) else {
            return;
        };
        let over = |id: &NotificationId| Some((*id, self.ledger.head(*id)?.over?));
        let ended: Vec<_> = known
            .queue
            .iter()
            .take(in_flight)
            .filter_map(over)
            .collect();
        for (id, over) in ended {
            self.end_for(id, device, over);
        }
        if in_flight > 0
            && let Some(known) = self.devices.get_mut(device)
        {
            known.sort_queue();
        }
    }

    fn end_for(&mut self, id: NotificationId, device: DeviceId, over: Over) {
        if let Some(device) = self.devices.get_mut(device) {
            device.dequeue(id);
        }
        if self
            .advance(id, device, over.state, u64::from(over.at))
            .is_some()
        {
            match over.state {
                DeliveryState::Expired => self.tally.expired += 1,
                _ => self.tally.withdrawn += 1,
            }
        }
    }

    /// Replaces a head in memory and on the disk, where nobody waits for it.
    fn change_head(&mut self, old: Head, new: Head) {
        self.replace_head(old, new);
        self.receipts.push(Change::PutHead(new));
    }

    fn replace_head(&mut self, old: Head, new: Head) {
        let days = self.config.push.history_days;
        self.timetable.leave(&old, days);
        self.ledger.set_head(new);
        self.timetable.enter(&new, days);
    }
}
