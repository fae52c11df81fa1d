//! Keeps a log line that peers can provoke from filling the log.

use std::cell::Cell;
use std::time::Instant;

use crate::limits::LOG_PAUSE;

/// Lets one line through, then none for [`LOG_PAUSE`].
#[derive(Default)]
pub(super) struct Seldom {
    last: Cell<Option<Instant>>,
    held: Cell<u64>,
}

impl Seldom {
    /// Whether to write the line now, and how many were held back since the last one.
    pub(super) fn turn(&self) -> Option<u64> {
        self.turn_at(Instant::now())
    }

    fn turn_at(&self, now: Instant) -> Option<u64> {
        let due = self
            .last
            .get()
            .is_none_or(|last| now.duration_since(last) >= LOG_PAUSE);
        if due {
            self.last.set(Some(now));
            Some(self.held.replace(0))
        } else {
            self.held.set(self.held.get().saturating_add(1));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_pause() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.turn_at(start), Some(0));
        assert_eq!(seldom.turn_at(start), None);
        assert_eq!(seldom.turn_at(start), None);
        assert_eq!(seldom.turn_at(start + LOG_PAUSE), Some(2));
        assert_eq!(seldom.turn_at(start + LOG_PAUSE), None);
    }
}
