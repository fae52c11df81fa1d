//! A bounded number of places, each given back when its holder is dropped.

use std::cell::Cell;
use std::rc::Rc;

/// Places that can be taken.
pub(super) struct Seats {
    most: usize,
    taken: Rc<Cell<usize>>,
}

/// One place.
pub(super) struct Seat(Rc<Cell<usize>>);

impl Seats {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Rc::default(),
        }
    }

    /// A place, if one is free.
    pub(super) fn take(&self) -> Option<Seat> {
        let taken = self.taken.get();
        (taken < self.most).then(|| {
            self.taken.set(taken + 1);
            Seat(Rc::clone(&self.taken))
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_seat_is_free_again() {
        let seats = Seats::new(2);
        let first = seats.take().unwrap();
        let _second = seats.take().unwrap();
        assert!(seats.take().is_none());
        drop(first);
        let _third = seats.take().unwrap();
        assert!(seats.take().is_none());
    }
}
