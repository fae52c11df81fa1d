//! Compaction at start: sled's file never shrinks, so a database that is mostly dead is copied and replaced.
//!
//! | step | what a start finds after an end there | what it makes of it |
//! |---|---|---|
//! | rows are copied to `db.new`, flushed, synced | `db`, `db.new` | removes `db.new` |
//! | `db` becomes `db.old` | `db.old`, `db.new` | `db.new` becomes `db` |
//! | `db.new` becomes `db` | `db`, `db.old` | removes `db.old` |
//! | `db.old` is removed | `db` | |
//!
//! The data directory is synced between the steps, so that a power cut keeps their order.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use rustix::fs::statvfs;

use super::data_dir::sync_directory;
use super::database::{Database, OpenError, io_error, sled_error};
use super::wear::Wear;
use crate::limits;
use crate::push::store::StoreError;

/// What a row takes besides its key and value, about: 100 000 rows of 35 bytes, copied, make a file of 20 MB.
const ROW_COST: u64 = 100;
/// Page cache of both databases while rows are copied, in bytes.
const CACHE: u64 = 100_000;

/// Leaves one good database at `path`, whatever moment an earlier compaction was interrupted at.
pub(super) fn finish(path: &Path) -> io::Result<()> {
    let [new, old] = [beside(path, "new"), beside(path, "old")];
    if !path.exists() && old.exists() {
        let good = if new.exists() { &new } else { &old };
        log::warn!("store: compaction was interrupted, taking {good:?}");
        rename(good, path)?;
    }
    for left in [new, old] {
        if left.exists() {
            log::info!("store: removing {left:?}, left by an interrupted compaction");
            fs::remove_dir_all(left)?;
        }
    }
    Ok(())
}

/// Compacts the database, if it is mostly dead and there is room; gives it back open.
///
/// # Errors
/// It cannot be read, or cannot be opened again. If it cannot be copied it stays as it is, which is no error.
pub(super) fn compact(
    database: Database,
    path: &Path,
    cache: u64,
    wear: &Arc<Wear>,
) -> Result<Database, OpenError> {
    let size = database.rows().size_on_disk().map_err(sled_error)?;
    // To count its rows would bring every page into memory, so that is done only if there is a reason.
    if size <= limits::COMPACT_ABOVE || !wear.looks_dead(size) {
        return Ok(database);
    }
    let copied = {
        let (path, wear) = (path.to_owned(), Arc::clone(wear));
        with_progress(move |alive| copy_if_dead(database, size, &path, &wear, alive))?
    };
    match copied {
        Ok(Copied::Not(database)) => return Ok(database),
        Ok(Copied::Whole { live }) => {
            replace(path)?;
            log::info!("store: compacted, {live} of {size} bytes were alive");
        }
        Err(error) => {
            log::error!("store: cannot be compacted and stays as it is: {error}");
            finish(path)?;
        }
    }
    Database::open(path, cache)
}

enum Copied {
    /// The database as it was.
    Not(Database),
    /// It is closed, and there is a copy.
    Whole { live: u64 },
}

/// Runs a long piece of work on a thread of its own. It has to call its argument at least every
/// [`limits::STORE_OPEN`]; if sled searches a damaged file for ever, it does not.
fn with_progress<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn()) -> T + Send + 'static,
) -> Result<T, OpenError> {
    let (tell, hear) = mpsc::channel();
    let helper = thread::Builder::new().name("store-compact".into());
    helper.spawn(move || {
        let result = work(&|| drop(tell.send(None)));
        drop(tell.send(Some(result)));
    })?;
    loop {
        match hear.recv_timeout(limits::STORE_OPEN) {
            Ok(Some(result)) => return Ok(result),
            Ok(None) => {}
            Err(RecvTimeoutError::Timeout) => return Err(OpenError::Slow),
            Err(RecvTimeoutError::Disconnected) => return Err(OpenError::Panicked),
        }
    }
}

fn copy_if_dead(
    database: Database,
    size: u64,
    path: &Path,
    wear: &Wear,
    alive: &dyn Fn(),
) -> Result<Copied, StoreError> {
    let enough = size / limits::COMPACT_RATIO;
    let live = live_bytes(database.rows(), enough, alive)?;
    if live >= enough {
        return Ok(Copied::Not(database));
    }
    // The copy, and what sled writes on the way to it.
    let wanted = 3 * live + limits::DISK_RESERVE;
    let room = path.parent().and_then(|data| statvfs(data).ok());
    let room = room.map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    if room < wanted {
        log::warn!(
            "store: {live} of {size} bytes are alive, but compaction wants {wanted} bytes of disk and \
             {room} are free"
        );
        return Ok(Copied::Not(database));
    }
    copy(database.rows(), &beside(path, "new"), alive, |copy| {
        wear.compacted(copy.size_on_disk().map_err(sled_error)?, live);
        wear.save(copy)
    })?;
    drop(database);
    // sled's threads hold its lock for a moment after the database is closed.
    let log = File::open(path.join("db")).and_then(|log| log.lock());
    log.map_err(io_error)?;
    Ok(Copied::Whole { live })
}

/// Bytes of all rows; counting ends at `enough`.
fn live_bytes(rows: &sled::Db, enough: u64, alive: &dyn Fn()) -> Result<u64, StoreError> {
    let mut live = 0;
    for name in rows.tree_names() {
        let tree = rows.open_tree(name).map_err(sled_error)?;
        for (count, row) in tree.iter().enumerate() {
            let (key, value) = row.map_err(sled_error)?;
            live += row_bytes(&key, &value);
            if live >= enough {
                return Ok(live);
            }
            if count.is_multiple_of(limits::COMPACT_ROWS) {
                alive();
            }
        }
    }
    Ok(live)
}

/// Bytes a row takes in a compact file.
pub(super) fn row_bytes(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + ROW_COST
}

/// Copies all rows to a database at `new`, lets `finish` add to it, and makes it durable.
fn copy(
    rows: &sled::Db,
    new: &Path,
    alive: &dyn Fn(),
    finish: impl FnOnce(&sled::Db) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut copy = Database::open_here(new, CACHE)?;
    for name in rows.tree_names() {
        let from = rows.open_tree(&name).map_err(sled_error)?;
        let to = copy.rows().open_tree(&name).map_err(sled_error)?;
        let mut all = from.iter();
        loop {
            let mut batch = sled::Batch::default();
            let mut count = 0;
            for row in all.by_ref().take(limits::COMPACT_ROWS) {
                let (key, value) = row.map_err(sled_error)?;
                batch.insert(key, value);
                count += 1;
            }
            if count == 0 {
                break;
            }
            to.apply_batch(batch).map_err(sled_error)?;
            alive();
        }
    }
    finish(copy.rows())?;
    copy.flush()?;
    drop(copy);
    // Closing writes as well, and only files that are synced may take the place of others.
    let log = File::open(new.join("db"));
    log.and_then(|log| log.lock()).map_err(io_error)?;
    sync_all(new).map_err(io_error)
}

/// Puts the copy in the place of the database.
fn replace(path: &Path) -> io::Result<()> {
    let old = beside(path, "old");
    rename(path, &old)?;
    rename(&beside(path, "new"), path)?;
    fs::remove_dir_all(old)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    to.parent().into_iter().for_each(sync_directory);
    Ok(())
}

/// Syncs a directory and all that is in it.
fn sync_all(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            File::open(path)?.sync_all()?;
        }
    }
    sync_directory(directory);
    Ok(())
}

/// `db.new` and the like, for `db`.
fn beside(path: &Path, extension: &str) -> PathBuf {
    path.with_extension(extension)
}
