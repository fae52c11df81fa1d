//! The store on disk: batches go to the storage thread, reads happen on the caller's thread, at once.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sled::IVec;

use super::data_dir::DataDir;
pub use super::database::OpenError;
use super::database::sled_error;
use super::pending::{Extent, Pending};
use super::storage_thread::{Job, Message, StorageThread, free_space, grows};
use super::wear::Wear;
use crate::config::{Durability, Storage};
use crate::limits;
use crate::push::notification::{Notification, NotificationId};
use crate::push::record::{self, BadRecord, Loader};
use crate::push::store::{
    Account, Change, Document, DocumentId, DocumentKind, Row, Store, StoreError, Ticket, Urgency,
};

/// Name of the thread that writes.
pub(super) const STORAGE: &str = "storage";

/// What became of a batch.
pub type Outcome = (Ticket, Result<(), StoreError>);

/// Outcomes of batches, in the order of their tickets.
pub type Outcomes = async_channel::Receiver<Outcome>;

/// The [`Store`] in a data directory.
///
/// Batches wait in a queue without a bound of its own: the gateway refuses work while
/// [`limits::WAITING_COMMITS`] requests wait for the disk. Reads see a batch as soon as it is applied, which
/// may be a moment before it is durable; the gateway reads nothing it has not been told of.
///
/// A relaxed store (`storage.durability`) answers a batch at once and keeps it in memory for a while, bounded
/// by [`limits::PENDING_BYTES`]; over that, and while the disk fails, it works as a strict one.
///
/// Dropping the store commits what was submitted, closes the database, and waits for both.
pub struct SledStore {
    messages: Arc<Messages>,
    outcomes: async_channel::Sender<Outcome>,
    rows: Arc<SharedRows>,
    wear: Arc<Wear>,
    /// Names the file system whose free space counts for a batch that is answered before it is written.
    directory: File,
    thread: Option<JoinHandle<()>>,
}

/// What reading threads see of the database.
#[derive(Default)]
pub(super) struct SharedRows {
    /// `None` while the database is closed after an error.
    open: RwLock<Option<sled::Db>>,
    /// What lies above it in a relaxed store.
    pending: Option<Mutex<Pending>>,
    /// Batches the storage thread has not reported.
    pub(super) unreported: AtomicUsize,
    damaged: AtomicU64,
}

/// The rows of a store, to be read by any thread.
#[derive(Clone)]
pub struct Rows {
    rows: Arc<SharedRows>,
    messages: Arc<Messages>,
}

impl Rows {
    /// Records found damaged since the store was opened, each time they were met.
    pub(super) fn damaged(&self) -> u64 {
        self.rows.damaged.load(Ordering::Relaxed)
    }

    /// The database, which has what is durable, unless it is closed after an error. Its files stay open as
    /// long as the handle.
    pub(super) fn written(&self) -> Result<sled::Db, StoreError> {
        self.rows.read(|rows| Ok(rows.clone()))
    }

    /// The database after so much of what a relaxed store keeps in memory has been written.
    pub(super) fn complete(&self, extent: Extent) -> Result<sled::Db, StoreError> {
        if self.rows.pending.is_some() {
            self.messages.write(extent)?;
        }
        self.written()
    }
}

/// The way to the storage thread; closing it ends the thread.
struct Messages(Mutex<Option<mpsc::Sender<Message>>>);

impl Messages {
    fn lock(&self) -> MutexGuard<'_, Option<mpsc::Sender<Message>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, message: Message) -> bool {
        let messages = self.lock();
        let sent = messages.as_ref().map(|messages| messages.send(message));
        matches!(sent, Some(Ok(())))
    }

    /// Has so much of what is only in memory written, and waits for it.
    fn write(&self, extent: Extent) -> Result<(), StoreError> {
        let (done, wait) = mpsc::channel();
        self.send(Message::Write(extent, done));
        let gone = || StoreError::Failed("its thread has ended".into());
        wait.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens a strict store in `data` with a page cache of `cache` bytes and no budget, and starts its thread.
    ///
    /// # Errors
    /// [`OpenError`] if the database cannot be opened; it takes at most [`limits::STORE_OPEN`].
    pub fn open(data: &DataDir, cache: u64) -> Result<(Self, Outcomes), OpenError> {
        Self::open_with(
            data,
            &Storage {
                cache,
                ..Storage::default()
            },
        )
    }

    /// Opens the store in `data` as configured, and starts its thread.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(data: &DataDir, config: &Storage) -> Result<(Self, Outcomes), OpenError> {
        let relaxed = config.durability == Durability::Relaxed;
        let pending = || Mutex::new(Pending::new(Duration::from_secs(config.delay)));
        let rows = Arc::new(SharedRows {
            pending: relaxed.then(pending),
            ..SharedRows::default()
        });
        let (outcomes, receiver) = async_channel::unbounded();
        let storage = StorageThread::open(data, config, Arc::clone(&rows), outcomes.clone())?;
        let wear = Arc::clone(storage.wear());
        let (messages, queue) = mpsc::channel();
        let thread = thread::Builder::new().name(STORAGE.into());
        let thread = thread.spawn(move || storage.run(&queue))?;
        let store = Self {
            messages: Arc::new(Messages(Mutex::new(Some(messages)))),
            outcomes,
            rows,
            wear,
            directory: data.handle()?,
            thread: Some(thread),
        };
        Ok((store, receiver))
    }

    /// What it holds, for another thread to read.
    #[must_use]
    pub fn rows(&self) -> Rows {
        Rows {
            rows: Arc::clone(&self.rows),
            messages: Arc::clone(&self.messages),
        }
    }

    /// What has been written, for the page and the metrics.
    #[must_use]
    pub fn wear(&self) -> Arc<Wear> {
        Arc::clone(&self.wear)
    }

    /// Records found damaged since the store was opened, each time they were met.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.rows.damaged.load(Ordering::Relaxed)
    }
}

impl SledStore {
    /// Takes a batch into memory, if it can be answered at once; the answer.
    fn take(&self, changes: &[Change]) -> Option<Result<(), StoreError>> {
        let open = self
            .rows
            .open
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut pending = self.rows.pending()?;
        // Outcomes come in order, so nothing overtakes a batch the thread has.
        if self.rows.unreported.load(Ordering::Acquire) > 0 {
            return None;
        }
        let rows = open.as_ref()?;
        if pending.cost() >= limits::PENDING_BYTES {
            return None;
        }
        let room = free_space(&self.directory).saturating_sub(limits::DISK_RESERVE);
        if changes.iter().any(grows) && room < limits::PENDING_BYTES as u64 {
            return Some(Err(StoreError::Full));
        }
        let slept = pending.due().is_none();
        let is_stored = |key: &[u8]| rows.contains_key(key).unwrap_or(true);
        let added = pending.add(changes, Instant::now(), is_stored);
        let wake = slept && pending.due().is_some() || pending.cost() >= limits::PENDING_BYTES;
        drop(pending);
        if wake {
            self.messages.send(Message::Pending);
        }
        Some(added.map_err(|why| StoreError::Failed(why.to_string())))
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").finish_non_exhaustive()
    }
}

impl Store for SledStore {
    fn load(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        let damaged = self.damaged();
        if self.rows.pending.is_some() {
            self.messages.write(Extent::Everything)?;
        }
        self.rows.read(|rows| {
            let mut keep = |read: Result<Row, BadRecord>| {
                if let Some(row) = self.rows.whole(Some(read)) {
                    visit(row);
                }
            };
            let mut loader = Loader::default();
            for row in rows.range(..record::END_OF_LOADED) {
                let (key, value) = row.map_err(sled_error)?;
                loader.row(&key, &value, &mut keep);
            }
            loader.finish(&mut keep);
            Ok(())
        })?;
        match self.damaged() - damaged {
            0 => {}
            count => log::error!("store: {count} damaged records are left aside"),
        }
        Ok(())
    }

    fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        self.rows.read(|rows| {
            let read = record::read_account(name, |key| self.rows.get(rows, key))?;
            Ok(self.rows.whole(read))
        })
    }

    fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        self.rows.read(|rows| {
            let read = record::read_notification(id, |key| self.rows.get(rows, key))?;
            Ok(self.rows.whole(read))
        })
    }

    fn document(&self, id: &DocumentId) -> Result<Option<String>, StoreError> {
        self.rows.read(|rows| {
            let read = record::read_document(id, |key| self.rows.get(rows, key))?;
            Ok(self.rows.whole(read).map(|document| document.text))
        })
    }

    fn documents(&self, owner: &str, kind: DocumentKind) -> Result<Vec<Document>, StoreError> {
        let Some(prefix) = record::documents_prefix(owner, kind) else {
            return Ok(Vec::new());
        };
        self.rows.read(|rows| {
            let found = record::documents(self.rows.below(rows, &prefix)?);
            Ok(found
                .into_iter()
                .filter_map(|read| self.rows.whole(Some(read)))
                .collect())
        })
    }

    fn submit(&mut self, ticket: Ticket, changes: Vec<Change>, urgency: Urgency) {
        if let Some(outcome) = self.take(&changes) {
            // The channel has no bound, and once nobody listens no outcome matters.
            drop(self.outcomes.try_send((ticket, outcome)));
            return;
        }
        let job = Job {
            ticket,
            changes,
            urgency,
        };
        self.rows.unreported.fetch_add(1, Ordering::Relaxed);
        if !self.messages.send(Message::Job(job)) {
            let gone = StoreError::Failed("its thread has ended".into());
            drop(self.outcomes.try_send((ticket, Err(gone))));
        }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // The end of the queue tells the thread to finish.
        *self.messages.lock() = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            log::error!("store: its thread has panicked");
        }
    }
}

impl SharedRows {
    /// Flushes once more: after an error that wakes up a flush which has missed it.
    pub(super) fn nudge(&self) {
        // Its outcome is that of the flush that waits.
        drop(self.read(|rows| rows.flush().map_err(sled_error)));
    }

    /// Lets readers see these rows, or none.
    pub(super) fn replace(&self, rows: Option<sled::Db>) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// What lies above the database, if the store is relaxed.
    pub(super) fn pending(&self) -> Option<MutexGuard<'_, Pending>> {
        let pending = self.pending.as_ref()?;
        Some(pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A row as it is or will be.
    fn get(&self, rows: &sled::Db, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        if let Some(row) = self.pending().and_then(|pending| pending.get(key)) {
            return Ok(row.map(IVec::from));
        }
        rows.get(key).map_err(sled_error)
    }

    /// The rows whose keys begin with `prefix`, as they are or will be.
    fn below(
        &self,
        rows: &sled::Db,
        prefix: &[u8],
    ) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        let pending = self.pending();
        let mut below = BTreeMap::new();
        for row in rows.scan_prefix(prefix) {
            let (key, value) = row.map_err(sled_error)?;
            if pending
                .as_ref()
                .is_none_or(|pending| pending.get(&key).is_none())
            {
                below.insert(key.to_vec(), value.to_vec());
            }
        }
        if let Some(pending) = pending {
            pending.put_below(prefix, &mut below);
        }
        Ok(below)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&sled::Db) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let rows = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || StoreError::Failed("the database is closed after an error".into());
        read(rows.as_ref().ok_or_else(closed)?)
    }

    /// The record, if it is there and whole; a damaged one stays where it is.
    fn whole<T>(&self, record: Option<Result<T, BadRecord>>) -> Option<T> {
        let skip = |bad: &BadRecord| {
            let before = self.damaged.fetch_add(1, Ordering::Relaxed);
            if before < limits::DAMAGE_LINES {
                log::warn!("store: {bad}");
            }
        };
        record?.inspect_err(skip).ok()
    }
}
