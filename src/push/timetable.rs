//! What comes due by the wall clock: schedules, times to live, the age of the history.

use std::collections::BTreeSet;

use super::head::Head;
use super::notification::NotificationId;

/// Seconds of a day.
const DAY: u32 = 86_400;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A scheduled notification.
    Fire,
    /// The end of a time to live.
    Expire,
    /// The end of the time for which notifications are kept.
    Forget,
}

/// Notifications by the second since 1970 at which something of theirs is due.
#[derive(Debug, Default)]
pub struct Timetable {
    entries: BTreeSet<(u32, Due, NotificationId)>,
    /// Those whose time does not count yet, because no clock could be trusted since they came.
    unbegun: BTreeSet<NotificationId>,
}

impl Timetable {
    /// Enters what a head says, for a history of so many days.
    pub fn enter(&mut self, head: &Head, days: u32) {
        if !head.is_scheduled() && head.begun == 0 {
            self.unbegun.insert(head.id);
        }
        self.entries.extend(dues(head, days));
    }

    /// Takes out what a head says.
    pub fn leave(&mut self, head: &Head, days: u32) {
        self.unbegun.remove(&head.id);
        for due in dues(head, days) {
            self.entries.remove(&due);
        }
    }

    /// Enters one thing by itself.
    pub fn add(&mut self, second: u32, due: Due, id: NotificationId) {
        self.entries.insert((second, due, id));
    }

    /// Takes out the next thing that is due by `second`.
    pub fn take_due(&mut self, second: u32) -> Option<(Due, NotificationId)> {
        if self.next_due()? > second {
            return None;
        }
        let (_, due, id) = self.entries.pop_first()?;
        Some((due, id))
    }

    /// When something comes due next.
    #[must_use]
    pub fn next_due(&self) -> Option<u32> {
        self.entries.first().map(|(second, ..)| *second)
    }

    /// Those whose time does not count yet.
    #[must_use]
    pub fn unbegun(&self) -> &BTreeSet<NotificationId> {
        &self.unbegun
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn dues(head: &Head, days: u32) -> impl Iterator<Item = (u32, Due, NotificationId)> + use<> {
    let fire = head.is_scheduled().then_some((head.deliver_at, Due::Fire));
    let expire = head.expires().map(|second| (second, Due::Expire));
    let counts = !head.is_scheduled() && head.begun > 0;
    let age = days.saturating_mul(DAY);
    let forget = counts.then(|| (head.begun.saturating_add(age), Due::Forget));
    let id = head.id;
    let dues = [fire, expire, forget].into_iter().flatten();
    dues.map(move |(second, due)| (second, due, id))
}
