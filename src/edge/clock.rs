//! The two clocks of [`crate::time`], read from the operating system.

use std::time::{Duration, SystemTime};

use crate::time::{Instant, Now, Wall};

/// 2026-01-01T00:00:00Z: this program did not exist before it, so a clock that shows less is not set.
const FLOOR: u64 = 1_767_225_600_000;

/// Counts from the moment it was made.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }

    /// Both clocks.
    pub(super) fn now(self) -> Now {
        let since = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let millis = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, since);
        Now {
            mono: Instant(since(self.start.elapsed())),
            wall: Wall {
                millis,
                trusted: millis >= FLOOR,
            },
        }
    }

    /// The moment as the operating system counts it, or `None` beyond the end of its clock.
    pub(super) fn moment(self, at: Instant) -> Option<std::time::Instant> {
        self.start.checked_add(Duration::from_millis(at.0))
    }
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
}
