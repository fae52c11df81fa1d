//! The sled database in the data directory: opened under a deadline, and written so that a power cut loses
//! nothing committed.

// Heads up! sled 0.34 does less than it seems to, and each step here is there for a reason:
// - `flush` writes the log but not the file's metadata; without `sync_data` after it a power cut takes
//   acknowledged writes back.
// - A page above 16 KiB becomes a file under `blobs/` that sled never syncs and often never removes; `record`
//   keeps keys and values so short that none appears.
// - Opening with a leftover `snap.*.generating` fails; with some damage to the log it never ends.
// - After one I/O error every call fails until the database is opened anew.
// - Dropping it syncs once more, and panics if that fails.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use sled::IVec;

use super::data_dir::sync_directory;
use crate::limits;
use crate::push::record::{self, Loader, Write};
use crate::push::store::{Row, StoreError};

/// sled's unit of allocation and reuse; fixed when a database is created.
const SEGMENT: usize = 64 * 1024;

/// An open database. One thread writes; clones of [`rows`](Self::rows) may be read by others.
pub(super) struct Database {
    rows: sled::Db,
    /// The log, to sync it.
    log: File,
    /// Where the log is.
    log_path: PathBuf,
}

/// Writes that become durable together: the last one to each key, or `None` to remove it.
pub(super) type Commit = BTreeMap<Vec<u8>, Option<IVec>>;

/// Why the database does not open. Its `Display` is a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Not within [`limits::STORE_OPEN`]: its log is damaged in a way that makes sled search for ever, or the
    /// disk hangs.
    Slow,
    /// sled has panicked.
    Panicked,
    /// Its files cannot be read or written, or are damaged.
    Failed(StoreError),
    /// It may be whole, but cannot be opened as things are; the text says why.
    Refused(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database does not open: ")?;
        match self {
            Self::Slow => write!(
                f,
                "it takes more than {} seconds, so it is damaged, or the disk hangs",
                limits::STORE_OPEN.as_secs()
            ),
            Self::Panicked => f.write_str("sled panicked"),
            Self::Failed(StoreError::Full) => f.write_str("no space left"),
            Self::Failed(StoreError::Failed(why)) | Self::Refused(why) => f.write_str(why),
        }
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Failed(error) => error,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl OpenError {
    /// Whether the files are to blame, so that others in their place would open.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Panicked | Self::Failed(StoreError::Failed(_)))
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{OutOfMemory, PermissionDenied, ReadOnlyFilesystem};
        let files = [Errno::MFILE, Errno::NFILE];
        let no_files = Errno::from_io_error(&error).is_some_and(|error| files.contains(&error));
        match error.kind() {
            PermissionDenied | ReadOnlyFilesystem | OutOfMemory => Self::Refused(error.to_string()),
            _ if no_files => Self::Refused(error.to_string()),
            _ => Self::Failed(io_error(error)),
        }
    }
}

impl From<sled::Error> for OpenError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => error.into(),
            other => Self::Failed(sled_error(other)),
        }
    }
}

impl std::error::Error for OpenError {}

impl Database {
    /// Opens or creates the database in directory `path`, with a page cache of `cache` bytes.
    ///
    /// A thread of its own does it, so that sled can be given up; one that hangs stays until the process ends.
    pub(super) fn open(path: &Path, cache: u64) -> Result<Self, OpenError> {
        Self::open_within(limits::STORE_OPEN, path, cache)
    }

    fn open_within(deadline: Duration, path: &Path, cache: u64) -> Result<Self, OpenError> {
        let path = path.to_owned();
        within(deadline, move || Self::open_here(&path, cache))
    }

    /// Opens the database, reads every row of it once, closes it, and says how many whole accounts it has.
    pub(super) fn examine(path: &Path, cache: u64) -> Result<u64, OpenError> {
        let path = path.to_owned();
        within(limits::STORE_OPEN, move || {
            let database = Self::open_here(&path, cache)?;
            let mut accounts = 0;
            let mut count = |read| accounts += u64::from(matches!(read, Ok(Row::Account(_))));
            let mut loader = Loader::default();
            for row in database.rows.iter() {
                let (key, value) = row?;
                if *key < record::END_OF_LOADED[..] {
                    loader.row(&key, &value, &mut count);
                }
            }
            loader.finish(&mut count);
            Ok(accounts)
        })
    }

    /// Opens it on this thread, without a deadline.
    pub(super) fn open_here(path: &Path, cache: u64) -> Result<Self, OpenError> {
        prepare(path)?;
        let rows = sled::Config::new()
            .path(path)
            .mode(sled::Mode::LowSpace)
            // Below 256 bytes sled panics.
            .cache_capacity(cache.max(256))
            .segment_size(SEGMENT)
            // Its own flusher would wake up for nothing; the storage thread flushes.
            .flush_every_ms(None)
            .open()?;
        let log_path = path.join("db");
        let log = File::open(&log_path)?;
        if log.metadata()?.len() == 0 {
            // From here on an empty log means that it has been lost.
            rows.flush()?;
        }
        File::open(path.join("conf")).and_then(|conf| conf.sync_all())?;
        sync_directory(path);
        path.parent().into_iter().for_each(sync_directory);
        Ok(Self {
            rows,
            log,
            log_path,
        })
    }

    /// The rows, for reading. Writes show before they are durable.
    pub(super) fn rows(&self) -> &sled::Db {
        &self.rows
    }

    /// Adds a write to a commit.
    pub(super) fn stage(&self, write: Write, commit: &mut Commit) -> Result<(), StoreError> {
        match write {
            Write::Put { key, value } => {
                commit.insert(key, Some(IVec::from(value)));
            }
            Write::Merge { key, entry } => {
                let old = match commit.get(&key) {
                    Some(staged) => staged.clone(),
                    None => self.rows.get(&key).map_err(sled_error)?,
                };
                let value = record::merged(&key, old.as_deref(), entry);
                commit.insert(key, Some(IVec::from(value)));
            }
            Write::Delete(key) => {
                commit.insert(key, None);
            }
            Write::DeletePrefix(prefix) => {
                let staged = commit.range_mut(prefix.clone()..);
                for (_, value) in staged.take_while(|(key, _)| key.starts_with(&prefix)) {
                    *value = None;
                }
                for key in self.rows.scan_prefix(&prefix).keys() {
                    commit.insert(key.map_err(sled_error)?.to_vec(), None);
                }
            }
        }
        Ok(())
    }

    /// What the rows of a commit are before it, so that it can be taken back.
    pub(super) fn before(&self, commit: &Commit) -> Result<Commit, StoreError> {
        let read = |key: &Vec<u8>| Ok((key.clone(), self.rows.get(key).map_err(sled_error)?));
        commit.keys().map(read).collect()
    }

    /// Writes a commit, whole or not at all, and returns when it is durable.
    ///
    /// After an error the database is of no more use; whether the commit outlives it is open.
    pub(super) fn write(&mut self, commit: Commit) -> Result<(), StoreError> {
        self.apply(commit)?;
        self.flush()
    }

    /// Puts a commit into the log; it is durable after [`flush`](Self::flush).
    pub(super) fn apply(&mut self, commit: Commit) -> Result<(), StoreError> {
        if commit.is_empty() {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for (key, value) in commit {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.rows.apply_batch(batch).map_err(sled_error)
    }

    /// Makes the log durable.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        self.rows.flush().map_err(sled_error)?;
        self.log.sync_data().map_err(io_error)
    }

    /// From here on the log cannot be synced: it is a pipe.
    #[cfg(test)]
    pub(super) fn break_sync(&mut self) {
        let (pipe, _) = io::pipe().unwrap();
        self.log = File::from(std::os::fd::OwnedFd::from(pipe));
    }
}

impl Drop for Database {
    /// While the disk does not sync, sled is kept by a thread that tries again: it would panic. Its lock
    /// keeps the database from being opened meanwhile.
    fn drop(&mut self) {
        if syncs(&self.log_path) {
            return;
        }
        let (rows, log) = (self.rows.clone(), self.log_path.clone());
        let keep = move || {
            while !syncs(&log) {
                thread::sleep(limits::STORE_RETRY);
            }
            drop(rows);
        };
        if let Err(error) = thread::Builder::new()
            .name("store-close".into())
            .spawn(keep)
        {
            log::error!("store: nobody can close it: {error}");
        }
    }
}

/// Whether the disk takes what was written to a file; one that is not there has nothing left to take.
fn syncs(path: &Path) -> bool {
    File::open(path).map_or(true, |file| file.sync_all().is_ok())
}

/// Name of the thread on which sled is opened.
pub(super) const OPENER: &str = "store-open";

/// Does `open` on a thread of its own and gives it up after `deadline`; the thread goes on by itself.
fn within<T: Send + 'static>(
    deadline: Duration,
    open: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let (opened, wait) = mpsc::sync_channel(1);
    let helper = thread::Builder::new().name(OPENER.into());
    helper.spawn(move || drop(opened.send(open())))?;
    match wait.recv_timeout(deadline) {
        Ok(opened) => opened,
        Err(RecvTimeoutError::Timeout) => Err(OpenError::Slow),
        Err(RecvTimeoutError::Disconnected) => Err(OpenError::Panicked),
    }
}

/// Removes the snapshots an interrupted start has not finished, with which sled does not open; how many.
pub(super) fn remove_unfinished(path: &Path) -> io::Result<usize> {
    let leftovers = files(path, |name| {
        name.starts_with("snap.") && name.ends_with(".generating")
    })?;
    for leftover in &leftovers {
        log::info!("store: removing {leftover:?}, left by an interrupted start");
        fs::remove_file(leftover)?;
    }
    Ok(leftovers.len())
}

/// Makes what is on disk fit for sled to open.
fn prepare(path: &Path) -> Result<(), OpenError> {
    remove_unfinished(path)?;
    let log = match File::open(path.join("db")) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    lock(&log)?;
    // After a crash the log may be ahead of the disk; the snapshot sled is about to make must not be.
    log.sync_all()?;
    // A child that another thread is starting has a copy of the file, so closing it may not free sled's lock.
    Ok(log.unlock()?)
}

/// Waits until nobody holds sled's lock: its threads do for a moment after the database is closed, and sled
/// itself would not wait.
fn lock(log: &File) -> Result<(), OpenError> {
    let end = Instant::now() + limits::STORE_LOCK;
    loop {
        match log.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if Instant::now() >= end => {
                return Err(OpenError::Refused("another program has it open".into()));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The files of a directory whose names are `wanted`; none if there is no such directory.
pub(super) fn files(path: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if wanted(&entry.file_name().to_string_lossy()) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// What an error of sled's means for the one who asked.
pub(super) fn sled_error(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) => io_error(error),
        other => StoreError::Failed(other.to_string()),
    }
}

/// What an error of the file system's means for the one who asked.
pub(super) fn io_error(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::scratch::Scratch;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn an_open_that_hangs_is_given_up() {
        let scratch = Scratch::new();
        // Opening a pipe that nobody writes to waits for ever.
        let log = scratch.path().join("db");
        mknodat(CWD, &log, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let opened = Database::open_within(Duration::from_millis(50), scratch.path(), 1_000_000);
        let refusal = opened.map(|_| ()).unwrap_err();
        assert_eq!(refusal, OpenError::Slow);
        assert!(
            refusal.to_string().contains("more than 30 seconds"),
            "{refusal}"
        );
    }

    #[test]
    fn a_full_disk_is_told_from_a_failing_one() {
        let error = |kind| sled_error(sled::Error::Io(io::Error::from(kind)));
        assert_eq!(error(io::ErrorKind::StorageFull), StoreError::Full);
        assert_eq!(error(io::ErrorKind::QuotaExceeded), StoreError::Full);
        let failed = error(io::ErrorKind::PermissionDenied);
        assert_eq!(failed, StoreError::Failed("permission denied".into()));
    }
}
