//! The binary of a board on the board: QEMU boots it, phones and senders of this machine talk to it, its
//! console tells what only the guest can see.
//!
//! `board/qemu/smoke.sh` runs this; `LANPUSH_BOARD_BIN` names the binary.

#![cfg(test)]
#![cfg(feature = "tls")]

#[path = "../harness/mod.rs"]
mod harness;

mod board;
mod clock;
mod faults;
mod footprint;
mod power;
mod service;
