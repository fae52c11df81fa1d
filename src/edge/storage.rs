//! The store on disk: [`SledStore`] takes batches, and the storage thread makes them durable in groups.
//!
//! The thread owns the database's writing side and nothing else of the server. It waits for a batch, takes
//! what else has gathered, writes all of it as one commit, and reports each ticket (group commit). With
//! nothing to write it sleeps without a timer. Reads happen on the caller's thread, at once.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::data_dir::DataDir;
use super::database::{Commit, Database, OpenError, sled_error};
use crate::limits;
use crate::push::notification::{Notification, NotificationId};
use crate::push::record::{self, BadRecord, Loader, Write};
use crate::push::store::{Account, Change, Row, Store, StoreError, Ticket, Urgency};

/// Outcomes of batches, in the order of their tickets.
pub type Outcomes = async_channel::Receiver<(Ticket, Result<(), StoreError>)>;

/// The [`Store`] in a data directory.
///
/// Batches wait in a queue without a bound of its own: the gateway refuses work while
/// [`limits::WAITING_COMMITS`] requests wait for the disk. Reads see a batch as soon as it is applied, which
/// may be a moment before it is durable; the gateway reads nothing it has not been told of.
///
/// Dropping the store commits what was submitted, closes the database, and waits for both.
pub struct SledStore {
    jobs: Option<mpsc::Sender<Job>>,
    outcomes: async_channel::Sender<(Ticket, Result<(), StoreError>)>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What reading threads see.
#[derive(Default)]
struct Shared {
    /// `None` while the store has failed.
    rows: RwLock<Option<sled::Db>>,
    damaged: AtomicU64,
}

struct Job {
    ticket: Ticket,
    changes: Vec<Change>,
    urgency: Urgency,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens the store in `data` with a page cache of `cache` bytes, and starts its thread.
    ///
    /// # Errors
    /// [`OpenError`] if the database cannot be opened; it takes at most [`limits::STORE_OPEN`].
    pub fn open(data: &DataDir, cache: u64) -> Result<(Self, Outcomes), OpenError> {
        let path = data.database();
        let database = Database::open(&path, cache)?;
        let directory = data.handle().map_err(|_| OpenError::Thread)?;
        let shared = Arc::new(Shared::default());
        shared.replace(Some(database.rows().clone()));
        let (jobs, queue) = mpsc::channel();
        let (outcomes, receiver) = async_channel::unbounded();
        let writer = Writer {
            path,
            cache,
            directory,
            shared: Arc::clone(&shared),
            outcomes: outcomes.clone(),
            state: State::Open(database),
            take_back: Commit::new(),
        };
        let thread = thread::Builder::new().name("storage".into());
        let thread = thread.spawn(move || writer.run(&queue));
        let thread = Some(thread.map_err(|_| OpenError::Thread)?);
        let jobs = Some(jobs);
        let store = Self {
            jobs,
            outcomes,
            shared,
            thread,
        };
        Ok((store, receiver))
    }

    /// Records found damaged since the store was opened, each time they were met.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.shared.damaged.load(Ordering::Relaxed)
    }
}

impl Store for SledStore {
    fn load(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.shared.read(|rows| {
            let mut keep = |read: Result<Row, BadRecord>| {
                if let Some(row) = self.shared.whole(Some(read)) {
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
        })
    }

    fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        self.shared.read(|rows| {
            let read = record::read_account(name, |key| rows.get(key).map_err(sled_error))?;
            Ok(self.shared.whole(read))
        })
    }

    fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        self.shared.read(|rows| {
            let read = record::read_notification(id, |key| rows.get(key).map_err(sled_error))?;
            Ok(self.shared.whole(read))
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
            report(&self.outcomes, ticket, Err(gone));
        }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // The end of the queue tells the thread to finish.
        self.jobs = None;
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = ended {
            log::error!("store: its thread has panicked");
        }
    }
}

impl Shared {
    fn replace(&self, rows: Option<sled::Db>) {
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&sled::Db) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || StoreError::Failed("the database is closed after an error".into());
        read(rows.as_ref().ok_or_else(closed)?)
    }

    /// The record, if it is there and whole; a damaged one stays where it is.
    fn whole<T>(&self, record: Option<Result<T, BadRecord>>) -> Option<T> {
        let skip = |bad: &BadRecord| {
            log::warn!("store: skipped: {bad}");
            self.damaged.fetch_add(1, Ordering::Relaxed);
        };
        record?.inspect_err(skip).ok()
    }
}

fn report(
    outcomes: &async_channel::Sender<(Ticket, Result<(), StoreError>)>,
    ticket: Ticket,
    outcome: Result<(), StoreError>,
) {
    // The channel has no bound, and once nobody listens no outcome matters.
    drop(outcomes.try_send((ticket, outcome)));
}

/// The storage thread.
struct Writer {
    path: PathBuf,
    cache: u64,
    /// Names the file system whose free space counts.
    directory: File,
    shared: Arc<Shared>,
    outcomes: async_channel::Sender<(Ticket, Result<(), StoreError>)>,
    state: State,
    /// Rows as they were before a commit that was refused because the disk failed in the middle of it. They
    /// are put back when the database opens again: what was refused must not come back to life.
    take_back: Commit,
}

enum State {
    Open(Database),
    Failed { why: StoreError, retry: Instant },
}

/// Jobs that become durable together.
#[derive(Default)]
struct Group {
    jobs: Vec<Job>,
    changes: usize,
    /// When the first of them must be durable.
    due: Option<Instant>,
}

impl Group {
    fn add(&mut self, job: Job) {
        let wait = match job.urgency {
            Urgency::Now => Duration::ZERO,
            Urgency::Soon => limits::RECEIPT_DELAY,
        };
        let due = Instant::now() + wait;
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
        self.changes += job.changes.len();
        self.jobs.push(job);
    }

    fn is_full(&self) -> bool {
        self.changes >= limits::COMMIT_CHANGES
    }

    fn is_due(&self) -> bool {
        self.is_full() || self.due.is_some_and(|due| due <= Instant::now())
    }
}

impl Writer {
    fn run(mut self, queue: &mpsc::Receiver<Job>) {
        let mut group = Group::default();
        loop {
            let first = self.wait(queue, &group);
            let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
            if let Ok(job) = first {
                group.add(job);
                while !group.is_full()
                    && let Ok(job) = queue.try_recv()
                {
                    group.add(job);
                }
            }
            if ended || group.is_due() {
                self.commit(std::mem::take(&mut group));
            }
            if ended {
                self.shared.replace(None);
                return;
            }
            self.retry();
        }
    }

    /// The next job, or the time to do something without one.
    fn wait(&self, queue: &mpsc::Receiver<Job>, group: &Group) -> Result<Job, RecvTimeoutError> {
        let retry = match &self.state {
            State::Open(_) => None,
            State::Failed { retry, .. } => Some(*retry),
        };
        match retry.into_iter().chain(group.due).min() {
            Some(until) => queue.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn commit(&mut self, group: Group) {
        let mut outcomes = Vec::with_capacity(group.jobs.len());
        let written = match &mut self.state {
            State::Failed { why, .. } => Err(why.clone()),
            State::Open(database) => {
                let mut commit = Commit::new();
                let mut room = free_space(&self.directory).saturating_sub(limits::DISK_RESERVE);
                let staged = group.jobs.iter().try_for_each(|job| {
                    outcomes.push(stage(database, job, &mut room, &mut commit)?);
                    Ok(())
                });
                let before = staged.and_then(|()| database.before(&commit));
                before.and_then(|before| {
                    database.write(commit).inspect_err(|_| {
                        self.take_back = before;
                    })
                })
            }
        };
        if let Err(why) = &written {
            outcomes = vec![Err(why.clone()); group.jobs.len()];
            self.fail(why);
        }
        for (job, outcome) in group.jobs.iter().zip(outcomes) {
            report(&self.outcomes, job.ticket, outcome);
        }
    }

    /// Closes the database, which after an error never works again.
    fn fail(&mut self, why: &StoreError) {
        if matches!(self.state, State::Open(_)) {
            log::error!("store: {why}; trying to bring it back");
            self.shared.replace(None);
            self.state = State::Failed {
                why: why.clone(),
                retry: Instant::now() + limits::STORE_RETRY,
            };
        }
    }

    /// Opens a failed database again, if it is time to.
    fn retry(&mut self) {
        let State::Failed { why, retry } = &mut self.state else {
            return;
        };
        if Instant::now() < *retry {
            return;
        }
        let opened = Database::open(&self.path, self.cache);
        let opened = opened.and_then(|mut database| {
            database
                .write(self.take_back.clone())
                .map_err(OpenError::Failed)?;
            Ok(database)
        });
        match opened {
            Ok(database) => {
                log::info!("store: works again");
                self.take_back = Commit::new();
                self.shared.replace(Some(database.rows().clone()));
                self.state = State::Open(database);
            }
            Err(error) => {
                log::warn!("store: {error}");
                if let OpenError::Failed(error) = error {
                    *why = error;
                }
                *retry = Instant::now() + limits::STORE_RETRY;
            }
        }
    }
}

/// Adds a job to a commit, for which the disk has `room` bytes. `Ok(Err(_))` if only this job is refused, `Err(_)` if the database has failed.
fn stage(
    database: &Database,
    job: &Job,
    room: &mut u64,
    commit: &mut Commit,
) -> Result<Result<(), StoreError>, StoreError> {
    let mut writes = Vec::new();
    for change in &job.changes {
        if let Err(why) = record::writes(change, &mut writes) {
            return Ok(Err(StoreError::Failed(why.to_string())));
        }
    }
    let grows = |change| matches!(change, &Change::PutNotification(_) | &Change::PutAccount(_));
    let needed = needed(&writes);
    // Receipts and removals go on as long as they can: they make room.
    if job.changes.iter().any(grows) && *room < needed {
        return Ok(Err(StoreError::Full));
    }
    *room = room.saturating_sub(needed);
    for write in writes {
        database.stage(write, commit)?;
    }
    Ok(Ok(()))
}

/// Disk space that writes may take, with what sled spends on its log and on rewriting pages.
fn needed(writes: &[Write]) -> u64 {
    let bytes: usize = writes
        .iter()
        .map(|write| match write {
            Write::Put { key, value } => key.len() + value.len(),
            Write::Delete(key) | Write::DeletePrefix(key) => key.len(),
        })
        .sum();
    4 * bytes as u64
}

/// Bytes the file system has left for us. One that does not tell counts as empty: the write will show.
fn free_space(directory: &File) -> u64 {
    rustix::fs::fstatvfs(directory).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}
