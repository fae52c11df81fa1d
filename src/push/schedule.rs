//! Scheduled notifications: when their time has come they find their devices and are sent like all others.

use super::accept::trusted_second;
use super::commits::{Then, Waiter};
use super::domain::Domain;
use super::head::Head;
use super::notification::NotificationId;
use super::receipt::short;
use super::store::{Change, StoreError};
use super::timetable::Due;
use crate::limits;
use crate::time::Now;

impl Domain {
    /// The time of a scheduled notification has come. It is sent when the disk knows its devices.
    pub(super) fn fire(&mut self, id: NotificationId, now: Now) {
        let Some(head) = self.ledger.head(id).copied().filter(Head::is_scheduled) else {
            return;
        };
        let target = match self.store.notification(id) {
            Ok(Some(notification)) if !self.commits.is_full() => notification.target,
            Ok(None) => {
                log::error!("scheduled notification {id} has no body on disk, dropped");
                return self.forget(id, now);
            }
            _ => return self.fire_later(id, now),
        };
        let devices = self.resolve(&target).unwrap_or_default();
        if devices.is_empty() {
            log::warn!("scheduled notification {id} is for nobody");
        }
        let head = Head {
            fired: true,
            begun: trusted_second(now),
            ..head
        };
        let ended = self.replaced_by(&head, now);
        self.ledger.hold(id, true);
        let mut changes = vec![Change::PutHead(head)];
        changes.extend(self.enqueue(id, &devices, now));
        changes.extend(self.hold(&ended));
        self.submit(changes, Then::Notified { head, ended }, Waiter::Nobody);
    }

    /// The disk has refused to settle a scheduled notification's devices.
    pub(super) fn not_fired(&mut self, id: NotificationId, error: &StoreError, now: Now) {
        log::error!("scheduled notification {id} has to wait: {error}");
        self.empty_queues_of(id);
        self.ledger.clear_devices(id);
        self.ledger.hold(id, false);
        self.fire_later(id, now);
    }

    fn fire_later(&mut self, id: NotificationId, now: Now) {
        let later = now.wall.seconds() + limits::SCHEDULE_RETRY.as_secs();
        self.timetable.add(short(later), Due::Fire, id);
    }
}
