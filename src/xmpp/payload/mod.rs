//! What stanzas of more than one feature carry: each file starts with its specification.

pub mod caps;
pub mod content;
pub mod delay;
pub mod hints;
pub mod receipts;
pub mod retraction;
