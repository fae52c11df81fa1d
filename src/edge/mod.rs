//! Floor 2: sockets, HTTP, the disk, the clock and the signals. It performs, and decides nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `serve` | the order in which all this starts and stops |
//! | `hub` | drives the gateway: events in, actions performed; what every task here shares |
//! | `connection`, `peer`, `backlog`, `table` | phones: one task each, its socket, what the socket has not taken |
//! | `listener`, `phones`, `web`, `admin` | accepting, and who stands behind which door |
//! | `refusal`, `seats`, `descriptors`, `memory` | how many fit in, and what the others hear |
//! | `http/`, `desk` | the page and the API, and what they see of the hub |
//! | `data_dir`, `storage`, `storage_thread`, `pending`, `layer`, `database`, `compaction`, `wear` | the disk |
//! | `repair`, `repairs`, `trial`, `backup` | what happens when its files are damaged, and what is kept for that case |
//! | `export`, `import`, `offline` | everything in one file |
//! | `timer`, `clock`, `clock_set`, `entropy`, `signals`, `bell` | time, randomness, signals, waking tasks |
//! | `logging`, `seldom`, `summary`, `lan`, `error` | what a person reads |

mod admin;
mod backlog;
pub mod backup;
mod bell;
mod clock;
mod clock_set;
mod compaction;
mod connection;
pub mod data_dir;
mod database;
mod descriptors;
mod desk;
mod entropy;
mod error;
pub mod export;
pub mod http;
mod hub;
pub mod import;
mod lan;
mod layer;
mod listener;
pub mod logging;
mod memory;
pub mod offline;
mod peer;
mod pending;
mod phones;
mod refusal;
pub mod repair;
mod repairs;
mod seats;
mod seldom;
mod serve;
mod signals;
pub mod storage;
mod storage_thread;
mod summary;
mod table;
mod timer;

pub mod trial;
mod watchdog;
pub mod wear;
mod web;

pub use error::RunError;
pub use serve::{Serve, run};

#[cfg(test)]
#[path = "../../tests/scratch/mod.rs"]
mod scratch;
