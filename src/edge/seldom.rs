//! Keeps a log line that peers can provoke from filling the log.

use std::cell::Cell;
use std::fmt;
use std::time::Instant;

use crate::limits::LOG_PAUSE;

/// Lets one line through, then none for [`LOG_PAUSE`].
#[derive(Default)]
pub(super) struct Seldom {
    last: Cell<Option<Instant>>,
    held: Cell<u64>,
}

/// How many lines were held back since the last one, as a remark to end the next one with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldBack(u64);

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " (and {more} times more)"),
        }
    }
}

impl Seldom {
    /// What to end the line with if it is to be written now.
    pub(super) fn turn(&self) -> Option<HeldBack> {
        self.turn_at(Instant::now())
    }

    fn turn_at(&self, now: Instant) -> Option<HeldBack> {
        let due = self
            .last
            .get()
            .is_none_or(|last| now.duration_since(last) >= LOG_PAUSE);
        if due {
            self.last.set(Some(now));
            Some(HeldBack(self.held.replace(0)))
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
        assert_eq!(seldom.turn_at(start), Some(HeldBack(0)));
        assert_eq!(seldom.turn_at(start), None);
        assert_eq!(seldom.turn_at(start), None);
        let next = seldom.turn_at(start + LOG_PAUSE).unwrap();
        assert_eq!(next.to_string(), " (and 2 times more)");
        assert_eq!(seldom.turn_at(start + LOG_PAUSE), None);
    }
}
