//! Floor 2: sockets, HTTP, the disk, the clock and the signals. It performs, and decides nothing.

pub mod data_dir;
mod database;
pub mod http;
pub mod storage;
mod storage_thread;

#[cfg(test)]
#[path = "../../tests/scratch/mod.rs"]
mod scratch;
