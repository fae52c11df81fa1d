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
        self.end_if_overtaken(id, now);
    }

    fn fire_later(&mut self, id: NotificationId, now: Now) {
        let later = now.wall.seconds() + limits::SCHEDULE_RETRY.as_secs();
        self.timetable.add(short(later), Due::Fire, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::crowd::Crowd;
    use crate::push::domain::Effect;
    use crate::push::notification::Extras;
    use crate::time::{Wall, keeper};
    use crate::xmpp::host::{Presence, Show};

    /// So many seconds after the test began, by a clock that is right.
    fn at(second: u64) -> Now {
        let millis = (keeper::FLOOR + second) * 1000;
        let wall = Wall {
            millis,
            trusted: true,
        };
        Now {
            wall,
            ..Now::default()
        }
    }

    /// Pushes at one second what is to be delivered at another.
    fn notify(crowd: &mut Crowd, deliver_at: u64, now: Now) {
        let extras = Extras {
            deliver_at,
            ..Extras::default()
        };
        crowd.notify(extras, now);
    }

    #[test]
    fn what_lies_behind_one_that_could_not_fire_goes_on() {
        let mut crowd = Crowd::new(1, &[], &[]);
        let device = crowd.log_in("u0");
        let presence = Presence {
            show: Show::Online,
            priority: 0,
        };
        crowd.domain.available(device, presence, at(0));
        notify(&mut crowd, at(60).wall.seconds(), at(0));
        crowd.settle();
        crowd.store.hold();
        notify(&mut crowd, 0, at(59));
        crowd.domain.on_time(at(60));
        crowd.store.release_one();
        crowd.settle();
        crowd.store.refuse(1, &StoreError::Full);
        crowd.store.release_one();
        let refused = crowd.store.take_stored();
        for (ticket, outcome) in &refused {
            crowd.domain.stored(*ticket, outcome, at(60));
        }
        let effects = crowd.domain.effects.drain(..);
        let pumped = effects.filter(|effect| matches!(effect, Effect::Pump(id) if *id == device));
        assert_eq!((refused.len(), pumped.count()), (1, 1));
    }

    #[test]
    fn a_full_queue_gives_up_nothing_for_one_that_may_yet_not_fire() {
        let mut crowd = Crowd::new(1, &[], &[]);
        let mut config = crate::config::Config::default();
        config.push.queue = 1;
        crowd.domain.configure(config.into());
        crowd.come("u0");
        notify(&mut crowd, at(60).wall.seconds(), at(0));
        crowd.settle();
        crowd.store.hold();
        notify(&mut crowd, 0, at(59));
        crowd.domain.on_time(at(60));
        let mut dropped = Vec::new();
        for _ in 0..2 {
            crowd.store.release_one();
            crowd.settle();
            dropped.push(crowd.domain.tally.dropped);
        }
        assert_eq!(dropped, [0, 1]);
    }
}
