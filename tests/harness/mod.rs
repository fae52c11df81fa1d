//! Runs the real binary and talks to it as phones and senders do: blocking sockets, no sleeps. Deadlines
//! are only there to fail a test that would otherwise hang.

#![allow(dead_code, reason = "each test crate uses its own part")]

pub(crate) mod http;
pub(crate) mod phone;
pub(crate) mod server;
#[cfg(feature = "tls")]
pub(crate) mod tls;

#[path = "../scratch/mod.rs"]
pub(crate) mod scratch;

use std::time::Duration;

/// Nothing a healthy server does takes this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
