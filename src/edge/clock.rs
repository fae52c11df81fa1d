//! The two clocks of [`crate::time`], read from the operating system.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::time::{Basis, Hinter, Instant, Now, Timekeeper};

/// Counts from the moment it was made.
pub(super) struct Clock {
    start: std::time::Instant,
    keeper: RefCell<Timekeeper>,
}

impl Clock {
    pub(super) fn start() -> Self {
        let clock = Self {
            start: std::time::Instant::now(),
            keeper: RefCell::default(),
        };
        if !clock.now().wall.trusted {
            log::warn!("the clock of this machine is not set; nothing expires until it is");
        }
        clock
    }

    /// Both clocks. Deadlines do not run while the machine sleeps, because nobody could meet them; the wall
    /// clock is compared with time that does, or waking up would look like a jump.
    pub(super) fn now(&self) -> Now {
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, millis);
        Now {
            mono: Instant(millis(self.start.elapsed())),
            wall: self.keeper.borrow_mut().read(since_boot(), wall),
        }
    }

    /// What the wall clock was based on when it was last read.
    pub(super) fn basis(&self) -> Basis {
        self.keeper.borrow().basis()
    }

    /// Somebody says that it is `wall` milliseconds since 1970.
    pub(super) fn hint(&self, from: Hinter, wall: u64) {
        self.keeper.borrow_mut().hint(from, wall, since_boot());
    }

    /// The moment as the operating system counts it, or `None` beyond the end of its clock.
    pub(super) fn moment(&self, at: Instant) -> Option<std::time::Instant> {
        self.start.checked_add(Duration::from_millis(at.0))
    }
}

/// Milliseconds since the machine was started, sleep included.
fn since_boot() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(tv_sec).unwrap_or(0);
    let nanos = u64::try_from(tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1000)
        .saturating_add(nanos / 1_000_000)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_never_early() {
        let clock = Clock::start();
        let at = clock.now().mono.after(Duration::from_millis(2));
        let moment = clock.moment(at).unwrap();
        while std::time::Instant::now() < moment {
            std::hint::spin_loop();
        }
        assert!(clock.now().mono >= at);
        assert!(clock.now().wall.trusted);
    }

    #[test]
    fn time_since_boot_goes_on() {
        let (boot, start) = (since_boot(), std::time::Instant::now());
        while start.elapsed() < Duration::from_millis(3) {
            std::hint::spin_loop();
        }
        assert!((3..60_000).contains(&(since_boot() - boot)));
    }
}
