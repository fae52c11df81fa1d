//! Floor 2: sockets, HTTP, the disk, the clock and the signals. It performs, and decides nothing.

pub mod data_dir;
mod database;
pub mod http;
pub mod logging;
pub mod storage;
mod storage_thread;

#[cfg(test)]
#[path = "../../tests/scratch/mod.rs"]
mod scratch;
use std::convert::Infallible;
use std::path::PathBuf;
use std::rc::Rc;

use crate::config::Config;

/// What a server is started with.
pub struct Serve {
    /// The effective configuration, domain filled in.
    pub config: Rc<Config>,
    /// Data directory.
    pub data: PathBuf,
    /// Reads the configuration again, for SIGHUP.
    pub reload: Box<dyn Fn() -> Result<Config, String>>,
}

/// Why the server could not start or had to stop.
pub type RunError = Infallible;

/// Serves until a signal stops it.
///
/// # Errors
/// The server could not start or had to stop.
pub fn run(_serve: Serve) -> Result<(), RunError> {
    Ok(())
}
