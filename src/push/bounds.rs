//! What is given up when there is too much: of a device's queue, and of the history.

use super::devices::Device;
use super::domain::Domain;
use super::notification::{DeliveryState, NotificationId};
use super::store::{Change, DeviceId};
use crate::time::Now;

impl Domain {
    /// Drops the oldest of the lowest priority until the queue is within `push.queue`. Only what is on disk
    /// counts: a push that the disk may yet refuse puts nothing out.
    pub(super) fn keep_queue_bounded(&mut self, id: DeviceId, now: Now) {
        let durable =
            |domain: &Self, queued: &&NotificationId| domain.ledger.has_durable_devices(**queued);
        while let Some(device) = self.devices.get(id)
            && device.queue.len() > self.config.push.queue
            && let kept = device.queue.iter().filter(|queued| durable(self, queued))
            && kept.count() > self.config.push.queue
            && let Some(victim) = self.least_wanted_of(device)
        {
            log::warn!("queue of {:?} is full, dropped {victim}", device.label());
            self.drop_delivery(victim, id, now);
            if let Some(device) = self.devices.get_mut(id) {
                device.dequeue(victim);
            }
        }
    }

    /// The oldest of the lowest priority that is on disk.
    fn least_wanted_of(&self, device: &Device) -> Option<NotificationId> {
        // Most queues have one priority only: the search ends at the first of the lowest there is. What is in
        // flight may be younger than what has come behind it.
        let lowest = self.ledger.lowest_waiting();
        let in_flight = device.in_flight();
        let mut victim = None;
        for (position, id) in device.queue.iter().enumerate() {
            let Some(head) = self.ledger.head(*id) else {
                continue;
            };
            let rank = (head.priority, *id);
            if self.ledger.has_durable_devices(*id) && victim.is_none_or(|least| rank < least) {
                victim = Some(rank);
            }
            if position >= in_flight && victim.is_some_and(|(priority, _)| priority <= lowest) {
                break;
            }
        }
        victim.map(|(_, id)| id)
    }

    /// Forgets notifications until the history is within its bounds; `newest` stays.
    pub(super) fn keep_history_bounded(&mut self, newest: NotificationId, now: Now) {
        let push = &self.config.push;
        let (most, bytes) = (push.history.max(1), push.history_bytes);
        while (self.ledger.len() > most || self.ledger.bytes() > bytes)
            && let Some(victim) = self.ledger.least_wanted_but(newest)
        {
            self.forget(victim, now);
        }
    }

    /// Forgets a notification; who still waits for it does not get it.
    pub(super) fn forget(&mut self, id: NotificationId, now: Now) {
        let Some(head) = self.ledger.head(id).copied() else {
            return;
        };
        let waiting = self.ledger.waiting_for(id);
        if !waiting.is_empty() || head.is_scheduled() {
            let count = waiting.len();
            log::warn!("history is full, dropped {id} for {count} devices that wait for it");
        }
        self.empty_queues_of(id);
        for device in waiting {
            self.tally.dropped += 1;
            self.advance(id, device, DeliveryState::Dropped, now.wall.seconds());
        }
        self.timetable.leave(&head, self.config.push.history_days);
        self.series.leave(&head);
        self.ledger.remove(id);
        self.answer_waits(id);
        self.receipts.push(Change::DeleteNotification(id));
    }

    /// Records that a device will not get a notification.
    pub(super) fn drop_delivery(&mut self, id: NotificationId, device: DeviceId, now: Now) {
        let at = now.wall.seconds();
        if self
            .advance(id, device, DeliveryState::Dropped, at)
            .is_some()
        {
            self.tally.dropped += 1;
            self.write_delivery(id, device);
        }
    }
}
