//! The automatic export: `backup.jsonl` in the data directory, from which a damaged database is restored.
//!
//! A thread of its own writes it, at most every `storage.export_hours` and only if it would differ from the
//! one that is there. A new one replaces the old one in one step; the old one is kept as `backup.old.jsonl`
//! if it had more accounts, for then something may have been lost.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use super::data_dir::{DataDir, sync_directory};
use super::export::{self, ExportError, Scope};
use super::storage::Rows;
use crate::limits;
use crate::push::export::{Counts, Line};

/// Where the automatic export of a data directory is.
#[must_use]
pub fn path(data: &Path) -> PathBuf {
    data.join("backup.jsonl")
}

/// The thread that keeps the automatic export up to date; dropping it ends the thread.
#[derive(Debug)]
pub struct Backups {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    written: Arc<AtomicU64>,
}

impl Backups {
    /// Starts it; `hours` between two exports, 0 for never.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(data: &DataDir, rows: Rows, hours: u32) -> io::Result<Self> {
        let pause = Duration::from_secs(u64::from(hours) * 3600);
        Self::start_with(data, rows, limits::BACKUP_FIRST.min(pause), pause)
    }

    fn start_with(
        data: &DataDir,
        rows: Rows,
        first: Duration,
        pause: Duration,
    ) -> io::Result<Self> {
        let written = Arc::new(AtomicU64::new(0));
        if pause.is_zero() {
            return Ok(Self {
                stop: None,
                thread: None,
                written,
            });
        }
        let (stop, stopped) = mpsc::channel();
        let path = path(data.path());
        let count = Arc::clone(&written);
        let keep = move || {
            let mut wait = first;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = pause;
                match rows.current().map(|rows| write(&rows, &path, now())) {
                    Some(Ok(bytes)) => drop(count.fetch_add(bytes, Ordering::Relaxed)),
                    Some(Err(error)) => log::error!("automatic export: {error}"),
                    None => log::error!("automatic export: the store is closed"),
                }
            }
        };
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread::Builder::new().name("backup".into()).spawn(keep)?),
            written,
        })
    }

    /// Bytes written to the disk since the start.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl Drop for Backups {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            log::error!("automatic export: its thread has panicked");
        }
    }
}

/// Seconds since 1970 by the system's clock, which may not have been set.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// Brings the export at `path` up to date and returns how many bytes that wrote.
pub(super) fn write(rows: &sled::Db, path: &Path, made: u64) -> Result<u64, ExportError> {
    let scope = Scope::Waiting(limits::BACKUP_QUEUE);
    let mut compare = Compare::with(path);
    export::write(rows, scope, made, &mut compare)?;
    if compare.is_same() {
        return Ok(0);
    }
    let new = path.with_extension("tmp");
    let mut file = BufWriter::new(File::create(&new)?);
    let counts = export::write(rows, scope, made, &mut file)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let before = counts_of(path).unwrap_or_default();
    if before.accounts > counts.accounts {
        let old = path.with_extension("old.jsonl");
        log::warn!(
            "automatic export: {} accounts, {} before; the last one is kept as {old:?}",
            counts.accounts,
            before.accounts
        );
        fs::rename(path, old)?;
    }
    fs::rename(&new, path)?;
    path.parent().into_iter().for_each(sync_directory);
    log::info!("automatic export: {counts}");
    Ok(file.metadata()?.len())
}

/// What the last line of an export counts; nothing if there is no export or it is cut short.
pub(super) fn counts_of(path: &Path) -> Option<Counts> {
    let mut last = Vec::new();
    let mut file = BufReader::new(File::open(path).ok()?);
    let mut line = Vec::new();
    let limit = limits::EXPORT_LINE as u64;
    loop {
        line.clear();
        let read = io::Read::take(&mut file, limit).read_until(b'\n', &mut line);
        if read.ok()? == 0 {
            break;
        }
        std::mem::swap(&mut last, &mut line);
    }
    match Line::parse(last.trim_ascii_end()) {
        Ok(Line::End(counts)) => Some(counts),
        _ => None,
    }
}

/// A sink that only sees whether it is given what a file holds, but for the first line, which has the time.
struct Compare {
    file: Option<BufReader<File>>,
    begun: bool,
}

impl Compare {
    fn with(path: &Path) -> Self {
        let mut file = File::open(path).ok().map(BufReader::new);
        let skipped = file.as_mut().map(|file| file.skip_until(b'\n'));
        Self {
            file: file.filter(|_| matches!(skipped, Some(Ok(_)))),
            begun: false,
        }
    }

    /// Whether it was all of the file.
    fn is_same(&mut self) -> bool {
        let at_end = |file: &mut BufReader<File>| file.fill_buf().is_ok_and(<[u8]>::is_empty);
        self.file.as_mut().is_some_and(at_end)
    }
}

impl Write for Compare {
    /// Takes a line, as [`export::write`] gives them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.begun, true) {
            return Ok(line.len());
        }
        if let Some(file) = &mut self.file {
            let mut theirs = vec![0; line.len()];
            if io::Read::read_exact(file, &mut theirs).is_err() || theirs != line {
                self.file = None;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
