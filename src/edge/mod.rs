//! Floor 2: sockets, HTTP, the disk, the clock and the signals. It performs, and decides nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `serve` | the order in which all this starts and stops |
//! | `hub` | drives the gateway: events in, actions performed; what every task here shares |
//! | `connection`, `peer`, `backlog`, `table` | phones: one task each, its socket, what the socket has not taken |
//! | `listener`, `phones`, `web`, `admin` | accepting, and who stands behind which door |
//! | `refusal`, `seats`, `descriptors`, `memory` | how many fit in, and what the others hear |
//! | `tls/`, `certificate` | encryption and the certificate |
//! | `http/`, `desk` | the page and the API, and what they see of the hub |
//! | `data_dir`, `storage`, `storage_thread`, `pending`, `layer`, `database`, `compaction`, `wear` | the disk |
//! | `repair`, `repairs`, `repair_counts`, `trial`, `failed_open`, `backup` | what happens when its files are damaged, and what is kept for that case |
//! | `export`, `import`, `offline` | everything in one file |
//! | `timer`, `clock`, `clock_set`, `entropy`, `signals`, `bell` | time, randomness, signals, waking tasks |
//! | `supervisor` | what systemd is told |
//! | `logging`, `seldom`, `summary`, `lan`, `error` | what a person reads |

mod admin;
mod backlog;
pub mod backup;
mod bell;
mod certificate;
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
mod failed_open;
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
mod repair_counts;
mod repairs;
mod seats;
mod seldom;
mod serve;
mod signals;
pub mod storage;
mod storage_thread;
mod summary;
mod supervisor;
mod table;
mod timer;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "without_tls.rs"]
mod tls;
pub mod trial;
mod watchdog;
pub mod wear;
mod web;

/// Whether this build has TLS.
pub const HAS_TLS: bool = cfg!(feature = "tls");

pub use error::RunError;
pub use serve::{Serve, run};
#[cfg(all(feature = "tls", fuzzing))]
pub use tls::fuzzing;

#[cfg(test)]
#[path = "../../tests/scratch/mod.rs"]
mod scratch;
