//! Random choices that are the same in every run with the same seed.

use std::cell::Cell;
use std::rc::Rc;

use lanpush::push::Entropy;

/// SplitMix64; a clone goes on with the same sequence.
#[derive(Clone)]
pub(crate) struct Random(Rc<Cell<u64>>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rc::new(Cell::new(seed)))
    }

    pub(crate) fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    /// True once in `times`.
    pub(crate) fn one_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// What the gateway takes its randomness from.
    pub(crate) fn entropy(&self) -> Entropy {
        let own = Self::new(self.next());
        Box::new(move |buffer| {
            for byte in buffer {
                *byte = own.next().to_le_bytes()[0];
            }
        })
    }
}
