//! The real binary over real sockets: what phones and senders see of it, and what the hostile ones get.

#![cfg(test)]

#[path = "../harness/mod.rs"]
mod harness;

mod crash;
mod hostile;
mod phones;
mod start;
mod supervisor;
#[cfg(feature = "tls")]
mod tls;
mod waiting;
