//! Floor 0: one connection of one phone. Bytes in, bytes out; no socket, no clock, no disk.

pub mod error;
pub mod feature;
pub mod jid;
pub mod ns;
pub mod stream;
