//! Floor 0: one connection of one phone. Bytes in, bytes out; no socket, no clock, no disk.
//!
//! `stream` turns bytes into frames, `session` checks them against the state of the connection, `router`
//! finds the feature, and what the feature asks of the rest of the server goes through `host`.

pub mod addressee;
pub mod error;
pub mod feature;
pub mod header;
pub mod host;
pub mod jid;
pub mod keeper;
pub mod ns;
pub mod payload;
pub mod router;
pub mod sasl;
pub mod session;
pub mod stanza;
pub mod stream;
pub mod subscription;
