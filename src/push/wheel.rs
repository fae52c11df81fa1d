//! The timer wheel: when to look at which connection again, in steps of [`limits::TICK`].
//!
//! Connections are not moved when something arrives. Each is looked at when its entry comes due, and put
//! back where its deadline is by then.

use super::event::ConnId;
use crate::limits;
use crate::time::Instant;

const SLOTS: u64 = 64;

/// Connections by the tick at which they are due.
#[derive(Debug)]
pub struct Wheel {
    slots: Vec<Vec<ConnId>>,
    /// The next tick to be worked off.
    next: u64,
    entries: usize,
}

impl Wheel {
    /// An empty wheel.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            next: tick_after(now),
            entries: 0,
        }
    }

    /// Enters a connection and returns the tick at which it comes due. What lies farther ahead than the
    /// wheel is large comes due at its far end.
    pub fn insert(&mut self, conn: ConnId, due: Instant, now: Instant) -> u32 {
        if self.entries == 0 {
            self.next = self.next.max(tick_after(now));
        }
        let tick = tick_after(due).clamp(self.next, self.next + SLOTS - 1);
        if let Some(slot) = self.slot(tick) {
            slot.push(conn);
            self.entries += 1;
        }
        u32::try_from(tick).unwrap_or(u32::MAX)
    }

    /// Whether an entry made for `tick` is still to come, and not after `due`.
    #[must_use]
    pub fn comes_before(&self, tick: u32, due: Instant) -> bool {
        (self.next..=tick_after(due)).contains(&u64::from(tick))
    }

    /// Takes out what is due, each with the tick it was entered for.
    pub fn take_due(&mut self, now: Instant) -> Vec<(ConnId, u32)> {
        let mut due = Vec::new();
        let turns = SLOTS;
        for _ in 0..turns {
            if self.next > now.0 / tick_millis() {
                break;
            }
            let tick = u32::try_from(self.next).unwrap_or(u32::MAX);
            if let Some(slot) = self.slot(self.next) {
                due.extend(std::mem::take(slot).into_iter().map(|conn| (conn, tick)));
            }
            self.next += 1;
        }
        // After a long sleep every slot has been worked off; the wheel catches up at once.
        self.next = self.next.max(now.0 / tick_millis() + 1);
        self.entries -= due.len();
        due
    }

    /// When something comes due next.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        if self.entries == 0 {
            return None;
        }
        (self.next..self.next + SLOTS)
            .find(|tick| {
                self.slots
                    .get(index(*tick))
                    .is_some_and(|slot| !slot.is_empty())
            })
            .map(|tick| Instant(tick * tick_millis()))
    }

    fn slot(&mut self, tick: u64) -> Option<&mut Vec<ConnId>> {
        self.slots.get_mut(index(tick))
    }
}

fn index(tick: u64) -> usize {
    usize::try_from(tick % SLOTS).unwrap_or_default()
}

fn tick_millis() -> u64 {
    u64::try_from(limits::TICK.as_millis()).unwrap_or(u64::MAX)
}

/// The first tick at or after an instant.
fn tick_after(instant: Instant) -> u64 {
    instant.0.div_ceil(tick_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Instant {
        Instant(seconds * 1000)
    }

    #[test]
    fn nothing_comes_early_and_nothing_is_lost() {
        let mut wheel = Wheel::new(seconds(1_000_003));
        let now = seconds(1_000_003);
        for (conn, wait) in [(1, 0), (2, 5), (3, 7), (4, 120), (5, 100_000)] {
            wheel.insert(
                ConnId(conn),
                now.after(std::time::Duration::from_secs(wait)),
                now,
            );
        }
        let mut seen = Vec::new();
        for elapsed in 0..400 {
            let now = seconds(1_000_003 + elapsed);
            for (conn, _) in wheel.take_due(now) {
                seen.push((conn.0, elapsed));
            }
        }
        assert_eq!(seen, vec![(1, 2), (2, 7), (3, 7), (4, 122), (5, 317)]);
        assert_eq!(wheel.next_due(), None);
    }

    #[test]
    fn a_long_sleep_delivers_all_at_once() {
        let mut wheel = Wheel::new(seconds(0));
        wheel.insert(ConnId(1), seconds(30), seconds(0));
        wheel.insert(ConnId(2), seconds(200), seconds(0));
        assert_eq!(wheel.next_due(), Some(seconds(30)));
        assert_eq!(wheel.take_due(seconds(50_000)).len(), 2);
        let tick = wheel.insert(ConnId(3), seconds(50_020), seconds(50_000));
        assert_eq!(wheel.take_due(seconds(50_019)), vec![]);
        assert_eq!(wheel.take_due(seconds(50_020)), vec![(ConnId(3), tick)]);
    }
}
