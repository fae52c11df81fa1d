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
use super::pending::Extent;
use super::storage::Rows;
use super::wear::Wear;
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
    /// Starts it; `hours` between two exports, 0 for never. What it writes is added to `wear`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(data: &DataDir, rows: Rows, wear: Arc<Wear>, hours: u32) -> io::Result<Self> {
        let pause = Duration::from_secs(u64::from(hours) * 3600);
        Self::start_with(data, rows, wear, limits::BACKUP_FIRST.min(pause), pause)
    }

    fn start_with(
        data: &DataDir,
        rows: Rows,
        wear: Arc<Wear>,
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
                // Settled notifications are in memory for good, and not wanted here.
                let rows = rows.complete(Extent::Unsettled).map_err(ExportError::Store);
                match rows.and_then(|rows| write(&rows, &path, now(), &wear)) {
                    Ok(bytes) => drop(count.fetch_add(bytes, Ordering::Relaxed)),
                    Err(error) => log::error!("automatic export: {error}"),
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

/// Brings the export at `path` up to date and returns how many bytes it wrote for that, which `wear` gets to
/// know even if it fails.
pub(super) fn write(
    rows: &sled::Db,
    path: &Path,
    made: u64,
    wear: &Wear,
) -> Result<u64, ExportError> {
    let scope = Scope::Waiting(limits::BACKUP_QUEUE);
    let mut compare = Compare::with(path);
    export::write(rows, scope, made, &mut compare)?;
    if compare.is_same() {
        return Ok(0);
    }
    let new = path.with_extension("tmp");
    let mut file = File::create(&new)?;
    let counts = write_new(rows, scope, made, &mut file);
    let length = file.metadata()?.len();
    wear.wrote_file(length);
    let counts = counts.inspect_err(|_| {
        // Half an export on a full disk only takes room.
        let _ = fs::remove_file(&new);
    })?;
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
    Ok(length)
}

fn write_new(
    rows: &sled::Db,
    scope: Scope,
    made: u64,
    file: &mut File,
) -> Result<Counts, ExportError> {
    let mut buffer = BufWriter::new(&mut *file);
    let counts = export::write(rows, scope, made, &mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    file.sync_all()?;
    Ok(counts)
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::edge::scratch::Scratch;
    use crate::edge::storage::{Outcomes, SledStore};
    use crate::push::head::{Head, Over};
    use crate::push::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
    use crate::push::store::{Account, Change, Delivery, DeviceId, Store, Ticket, Urgency};

    struct Disk {
        scratch: Scratch,
        data: DataDir,
        store: SledStore,
        outcomes: Outcomes,
    }

    impl Disk {
        fn new() -> Self {
            let scratch = Scratch::new();
            let data = DataDir::open(scratch.path()).unwrap();
            let (store, outcomes) = SledStore::open(&data, 1_000_000).unwrap();
            Self {
                scratch,
                data,
                store,
                outcomes,
            }
        }

        fn put(&mut self, changes: Vec<Change>) {
            self.store.submit(Ticket(0), changes, Urgency::Now);
            self.outcomes.recv_blocking().unwrap().1.unwrap();
        }

        fn path(&self) -> PathBuf {
            path(self.scratch.path())
        }

        fn write(&self, made: u64) -> u64 {
            let rows = self.store.rows().written().unwrap();
            write(&rows, &self.path(), made, &self.store.wear()).unwrap()
        }

        fn text(&self) -> String {
            fs::read_to_string(self.path()).unwrap()
        }
    }

    fn account(name: &str) -> Change {
        Change::PutAccount(Account {
            name: name.into(),
            ..Account::default()
        })
    }

    fn push(id: u128, length: usize, state: DeliveryState) -> Vec<Change> {
        let id = NotificationId(id);
        let notification = Notification {
            id,
            target: Target::Everyone,
            title: String::new(),
            message: "m".repeat(length),
            uri: String::new(),
            extras: Extras::default(),
        };
        let delivery = Delivery {
            notification: id,
            device: DeviceId(1),
            state,
            at: 0,
            queued: 0,
            sent: 0,
            acknowledged: 0,
        };
        vec![
            Change::PutNotification(notification),
            Change::PutDelivery(delivery),
        ]
    }

    fn scheduled(id: u128) -> Vec<Change> {
        let mut changes = push(id, 10, DeliveryState::Queued);
        changes.truncate(1);
        for change in &mut changes {
            if let Change::PutNotification(notification) = change {
                notification.extras.deliver_at = 5;
            }
        }
        changes
    }

    #[test]
    fn it_is_written_only_if_something_has_changed() {
        let mut disk = Disk::new();
        disk.put(vec![account("ann")]);
        assert_eq!(disk.write(1), disk.text().len() as u64);
        assert_eq!(disk.write(2), 0);
        disk.put(vec![account("ben")]);
        assert!(disk.write(3) > 0);
        assert!(disk.text().contains("\"made\":3,") && disk.text().contains("\"ben\""));
        // A file that is cut short or longer is not the same.
        for text in [&disk.text()[..40], &(disk.text() + "{}\n")] {
            fs::write(disk.path(), text).unwrap();
            assert!(disk.write(4) > 0);
            assert_eq!(disk.write(4), 0);
        }
    }

    #[test]
    fn what_it_writes_is_counted_even_if_it_fails() {
        let mut disk = Disk::new();
        disk.put(vec![account("ann")]);
        let rows = disk.store.rows().written().unwrap();
        let counted = |path: &Path| {
            let wear = Wear::new(0);
            let done = write(&rows, path, 1, &wear).is_ok();
            (done, wear.view().bytes_total)
        };
        // A page, and one for what the file system keeps of the file.
        assert_eq!(counted(&disk.path()), (true, 8192));
        assert_eq!(counted(&disk.path()), (true, 0), "it is up to date");
        disk.put(vec![account("ben")]);
        let taken = disk.scratch.path().join("taken");
        fs::create_dir_all(taken.join("in the way")).unwrap();
        assert_eq!(counted(&taken), (false, 8192));
    }

    #[test]
    fn it_says_what_has_been_written() {
        let mut disk = Disk::new();
        disk.put(vec![account("ann")]);
        disk.store.wear().wrote(5_000_000);
        disk.put(vec![account("ben")]);
        disk.write(now());
        let first = disk.text().lines().next().unwrap().to_owned();
        let Ok(Line::Lanpush(header)) = Line::parse(first.as_bytes()) else {
            panic!("{first}");
        };
        let written = header.written.unwrap();
        assert!(
            written.total >= 5_000_000 && written.today >= 5_000_000,
            "{first}"
        );
    }

    #[test]
    fn one_with_more_accounts_is_kept() {
        let mut disk = Disk::new();
        disk.put(vec![account("ann"), account("ben")]);
        disk.write(1);
        let before = disk.text();
        disk.put(vec![Change::DeleteAccount("ben".into())]);
        disk.write(2);
        let old = disk.path().with_extension("old.jsonl");
        assert_eq!(fs::read_to_string(old).unwrap(), before);
        assert_eq!(counts_of(&disk.path()).unwrap().accounts, 1);
    }

    #[test]
    fn what_waits_goes_in_newest_first_up_to_a_bound() {
        let mut disk = Disk::new();
        for id in 1..=200 {
            disk.put(push(id, 16_000, DeliveryState::Queued));
        }
        disk.put(push(300, 10, DeliveryState::Confirmed));
        disk.put(scheduled(301));
        disk.put(push(302, 10, DeliveryState::Queued));
        disk.put(vec![Change::PutHead(Head {
            over: Some(Over {
                state: DeliveryState::Withdrawn,
                at: 5,
            }),
            ..Head::new(NotificationId(302))
        })]);
        disk.write(1);
        let length = disk.text().len();
        assert!((limits::BACKUP_QUEUE - 20_000..limits::BACKUP_QUEUE + 20_000).contains(&length));
        let has = |id: u128| disk.text().contains(&NotificationId(id).to_string());
        assert!(has(200) && !has(1) && !has(300) && has(301) && !has(302));
        let counts = counts_of(&disk.path()).unwrap();
        assert!(counts.notifications > 50 && counts.deliveries + 1 == counts.notifications);
    }

    #[test]
    fn the_thread_writes_and_ends() {
        let mut disk = Disk::new();
        disk.put(vec![account("ann")]);
        let pause = Duration::from_millis(5);
        let backups = Backups::start_with(
            &disk.data,
            disk.store.rows(),
            disk.store.wear(),
            pause,
            pause,
        )
        .unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while backups.written() == 0 {
            assert!(Instant::now() < end, "nothing is written");
            thread::yield_now();
        }
        let thread = Arc::downgrade(&backups.written);
        drop(backups);
        assert!(thread.upgrade().is_none());
        assert_eq!(counts_of(&disk.path()).unwrap().accounts, 1);
        let never = Backups::start(&disk.data, disk.store.rows(), disk.store.wear(), 0).unwrap();
        assert!(never.thread.is_none());
    }
}
