//! Export and import while no server runs: the data directory is opened, and locked, by the command itself.

use std::fmt;
use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;

use super::backup;
use super::data_dir::{DataDir, DataDirError};
use super::database::{Database, OpenError};
use super::export::{self, ExportError, Scope};
use super::failed_open;
use super::import::{self, ImportError, Imported};
use super::repair;
use super::trial::Trial;
use crate::push::export::Counts;

/// Why it was not done.
#[derive(Debug)]
pub enum OfflineError {
    /// There is nothing to export.
    NoData,
    /// The data directory cannot be used; [`DataDirError::InUse`] if a server runs on it.
    Data(DataDirError),
    /// The database does not open.
    Database(OpenError),
    /// The export has failed.
    Export(ExportError),
    /// The import has failed.
    Import(ImportError),
}

impl fmt::Display for OfflineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData => f.write_str("the data directory does not exist"),
            Self::Data(error) => write!(f, "data directory {error}"),
            Self::Database(error) => error.fmt(f),
            Self::Export(error) => error.fmt(f),
            Self::Import(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OfflineError {}

/// Writes everything that the data directory holds to `out`.
///
/// # Errors
/// [`OfflineError`]; what has been written by then has no last line.
pub fn export(data: &Path, cache: u64, out: &mut dyn Write) -> Result<Counts, OfflineError> {
    if !fs::exists(data).unwrap_or(true) {
        return Err(OfflineError::NoData);
    }
    let (_data, database) = open(data, cache)?;
    let counts = export::write(database.rows(), Scope::Everything, backup::now(), out);
    let counts = counts.map_err(OfflineError::Export)?;
    out.flush()
        .map_err(|error| OfflineError::Export(error.into()))?;
    Ok(counts)
}

/// Puts what `file` holds into the data directory, which is made if it is missing. With `replace` the file's
/// accounts replace those of the same name.
///
/// # Errors
/// [`OfflineError`]; what had been taken by then stays.
pub fn import(
    data: &Path,
    cache: u64,
    file: &mut dyn BufRead,
    replace: bool,
) -> Result<Imported, OfflineError> {
    let (_data, mut database) = open(data, cache)?;
    import::run(&mut database, file, replace).map_err(OfflineError::Import)
}

fn open(data: &Path, cache: u64) -> Result<(DataDir, Database), OfflineError> {
    let data = DataDir::open(data).map_err(OfflineError::Data)?;
    failed_open::end_in_good_order();
    repair::repair(&data, cache, &Trial::of_this_program(), backup::now())
        .map_err(OfflineError::Database)?;
    let database = Database::open(&data.database(), cache).map_err(OfflineError::Database)?;
    Ok((data, database))
}
