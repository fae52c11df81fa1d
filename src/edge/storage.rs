//! The store on disk: batches go to the storage thread, reads happen on the caller's thread, at once.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use super::data_dir::DataDir;
pub use super::database::OpenError;
use super::database::sled_error;
use super::storage_thread::{Job, StorageThread};
use crate::limits;
use crate::push::notification::{Notification, NotificationId};
use crate::push::record::{self, BadRecord, Loader};
use crate::push::store::{Account, Change, Row, Store, StoreError, Ticket, Urgency};

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
/// Dropping the store commits what was submitted, closes the database, and waits for both.
pub struct SledStore {
    jobs: Option<mpsc::Sender<Job>>,
    outcomes: async_channel::Sender<Outcome>,
    rows: Arc<SharedRows>,
    thread: Option<JoinHandle<()>>,
}

/// What reading threads see of the database.
#[derive(Default)]
pub(super) struct SharedRows {
    /// `None` while the database is closed after an error.
    open: RwLock<Option<sled::Db>>,
    damaged: AtomicU64,
}

impl SledStore {
    /// Opens the store in `data` with a page cache of `cache` bytes, and starts its thread.
    ///
    /// # Errors
    /// [`OpenError`] if the database cannot be opened; it takes at most [`limits::STORE_OPEN`].
    pub fn open(data: &DataDir, cache: u64) -> Result<(Self, Outcomes), OpenError> {
        let rows = Arc::new(SharedRows::default());
        let (outcomes, receiver) = async_channel::unbounded();
        let storage = StorageThread::open(data, cache, Arc::clone(&rows), outcomes.clone())?;
        let (jobs, queue) = mpsc::channel();
        let thread = thread::Builder::new().name("storage".into());
        let thread = thread.spawn(move || storage.run(&queue))?;
        let store = Self {
            jobs: Some(jobs),
            outcomes,
            rows,
            thread: Some(thread),
        };
        Ok((store, receiver))
    }

    /// Records found damaged since the store was opened, each time they were met.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.rows.damaged.load(Ordering::Relaxed)
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
            let read = record::read_account(name, |key| rows.get(key).map_err(sled_error))?;
            Ok(self.rows.whole(read))
        })
    }

    fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        self.rows.read(|rows| {
            let read = record::read_notification(id, |key| rows.get(key).map_err(sled_error))?;
            Ok(self.rows.whole(read))
        })
    }

    fn submit(&mut self, ticket: Ticket, changes: Vec<Change>, urgency: Urgency) {
        let job = Job {
            ticket,
            changes,
            urgency,
        };
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        if !matches!(sent, Some(Ok(()))) {
            let gone = StoreError::Failed("its thread has ended".into());
            // The channel has no bound, and once nobody listens no outcome matters.
            drop(self.outcomes.try_send((ticket, Err(gone))));
        }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // The end of the queue tells the thread to finish.
        self.jobs = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            log::error!("store: its thread has panicked");
        }
    }
}

impl SharedRows {
    /// Lets readers see these rows, or none.
    pub(super) fn replace(&self, rows: Option<sled::Db>) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = rows;
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
