//! XEP-0198 §4: stanzas on their way to a session, and what becomes of those that others get too.

use std::cell::Cell;
use std::rc::Rc;

/// A stanza on its way to a session.
#[derive(Clone, Debug)]
pub enum Parcel {
    /// If it does not arrive, something has to be done about it.
    Only(Rc<[u8]>),
    /// A message that other sessions may get too: one of them is enough.
    Shared(Rc<[u8]>, Fate),
    /// If it does not arrive, the disk still has it.
    Kept(Rc<[u8]>),
}

impl Parcel {
    /// The stanza.
    #[must_use]
    pub fn stanza(&self) -> &Rc<[u8]> {
        match self {
            Self::Only(stanza) | Self::Shared(stanza, _) | Self::Kept(stanza) => stanza,
        }
    }

    /// The client has it, or says nothing of what it has.
    pub(super) fn arrived(&self) {
        if let Self::Shared(_, fate) = self {
            fate.arrived();
        }
    }
}

/// What becomes of a message. All sessions that it goes to share it, until they say that they have it or are over.
#[derive(Clone, Debug, Default)]
pub struct Fate(Rc<Cell<bool>>);

impl Fate {
    /// A session has it.
    pub(super) fn arrived(&self) {
        self.0.set(true);
    }

    /// Whether no session has it, nor any but this one may have it.
    pub(super) fn is_lost(&self) -> bool {
        !self.0.get() && Rc::strong_count(&self.0) == 1
    }
}
