//! The storage thread: makes batches durable, all that have gathered in one commit (group commit).
//!
//! It owns the database's writing side and nothing else of the server. With nothing to write it sleeps
//! without a timer.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::compaction;
use super::data_dir::DataDir;
use super::database::{Commit, Database, OpenError};
use super::layer::Layer;
use super::pending::Extent;
use super::storage::{Outcome, SharedRows};
use super::watchdog::Watchdog;
use super::wear::Wear;
use crate::config::Storage;
use crate::limits;
use crate::push::record::{self, Write};
use crate::push::store::{Change, StoreError, Ticket, Urgency};

/// What the storage thread is told.
pub(super) enum Message {
    /// Write this batch and report it.
    Job(Job),
    /// Something lies in memory that did not before, or too much.
    Pending,
    /// Write so much of what is only in memory.
    Write(Extent, Sender<Result<(), StoreError>>),
}

/// A batch on its way to the disk.
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) changes: Vec<Change>,
    pub(super) urgency: Urgency,
}

/// The state of the thread.
pub(super) struct StorageThread {
    path: PathBuf,
    cache: u64,
    /// `storage.delay`.
    delay: Duration,
    wear: Arc<Wear>,
    /// Names the file system whose free space counts.
    directory: File,
    rows: Arc<SharedRows>,
    outcomes: async_channel::Sender<Outcome>,
    state: State,
    /// Rows as they were before a commit that was refused because the disk failed in the middle of it. They
    /// are put back when the database opens again, for what was refused must not come back to life. It does
    /// if the process ends before that.
    take_back: Commit,
}

enum State {
    Open(Database),
    /// After an error, until the database opens again.
    Failed {
        why: StoreError,
        retry: Instant,
    },
}

/// Jobs that become durable together.
#[derive(Default)]
struct Group {
    jobs: Vec<Job>,
    changes: usize,
    /// When the first of them must be durable.
    due: Option<Instant>,
}

impl StorageThread {
    /// Opens the database in `data` for the thread to come, and shows its rows to readers.
    pub(super) fn open(
        data: &DataDir,
        config: &Storage,
        rows: Arc<SharedRows>,
        outcomes: async_channel::Sender<Outcome>,
    ) -> Result<Self, OpenError> {
        let path = data.database();
        let wear = Arc::new(Wear::new(config.write_budget));
        let database = wear.count(|| {
            compaction::finish(&path)?;
            let database = Database::open(&path, config.cache)?;
            wear.restore(database.rows())?;
            compaction::compact(database, &path, config.cache, &wear)
        })?;
        rows.replace(Some(database.rows().clone()));
        Ok(Self {
            path,
            cache: config.cache,
            delay: Duration::from_secs(config.delay),
            wear,
            directory: data.handle()?,
            rows,
            outcomes,
            state: State::Open(database),
            take_back: Commit::new(),
        })
    }

    /// What it counts.
    pub(super) fn wear(&self) -> &Arc<Wear> {
        &self.wear
    }

    /// Works until the queue ends, then closes the database.
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        let watchdog = Watchdog::start(Arc::clone(&self.rows));
        let mut group = Group::default();
        loop {
            let first = self.wait(queue, &group);
            let work = watchdog.begin();
            let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
            if let Ok(message) = first {
                self.take(message, &mut group);
                while !group.is_full()
                    && let Ok(message) = queue.try_recv()
                {
                    self.take(message, &mut group);
                }
            }
            if ended || group.is_due() {
                // Each job is told; what is in memory waits there.
                drop(self.commit(std::mem::take(&mut group), Extent::Unsettled));
            } else if self.pending_due().is_some_and(|due| due <= Instant::now()) {
                drop(self.commit(Group::default(), Extent::Due));
            }
            if ended {
                self.rows.replace(None);
                drop(self);
                return drop(work);
            }
            self.reopen();
        }
    }

    fn take(&mut self, message: Message, group: &mut Group) {
        match message {
            Message::Job(job) => group.add(job, self.wear.is_over_budget()),
            Message::Pending => {
                let cost = self.rows.pending().map_or(0, |pending| pending.cost());
                if cost >= limits::PENDING_BYTES {
                    drop(self.commit(Group::default(), Extent::Unsettled));
                }
            }
            Message::Write(extent, done) => {
                let jobs = std::mem::take(group);
                // Whoever asked may be gone.
                drop(done.send(self.commit(jobs, extent)));
            }
        }
    }

    /// The next message, or the time to do something without one.
    fn wait(&self, queue: &Receiver<Message>, group: &Group) -> Result<Message, RecvTimeoutError> {
        let retry = match &self.state {
            State::Open(_) => None,
            State::Failed { retry, .. } => Some(*retry),
        };
        let due = [retry, group.due, self.pending_due()];
        match due.into_iter().flatten().min() {
            Some(until) => queue.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// When something in memory has to be written, while that is possible.
    fn pending_due(&self) -> Option<Instant> {
        match self.state {
            State::Open(_) => self.rows.pending()?.due(),
            State::Failed { .. } => None,
        }
    }

    /// Makes the group durable, and reports each of its jobs; what is in memory goes first.
    fn commit(&mut self, group: Group, extent: Extent) -> Result<(), StoreError> {
        let written = self.write(&group.jobs, extent);
        let (outcomes, whole) = match written {
            Ok(outcomes) => (outcomes, Ok(())),
            Err(why) => {
                self.close(&why);
                (vec![Err(why.clone()); group.jobs.len()], Err(why))
            }
        };
        for (job, outcome) in group.jobs.iter().zip(outcomes) {
            // The channel has no bound, and once nobody listens no outcome matters.
            drop(self.outcomes.try_send((job.ticket, outcome)));
            self.rows.unreported.fetch_sub(1, Ordering::Release);
        }
        whole
    }

    /// An outcome for each job, or why there is none but this for all of them.
    fn write(
        &mut self,
        jobs: &[Job],
        extent: Extent,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        if let State::Failed { why, .. } = &self.state {
            return Err(why.clone());
        }
        let now = Instant::now();
        let layer = self
            .rows
            .pending()
            .map(|mut pending| pending.begin(extent, now));
        let outcomes = self.write_both(layer.as_deref(), jobs);
        if let Some(mut pending) = self.rows.pending() {
            match &outcomes {
                Ok(_) => pending.written(),
                Err(_) => pending.put_back(now),
            }
            let factor = if self.wear.is_over_budget() {
                limits::THRIFT_FACTOR
            } else {
                1
            };
            pending.set_delay(self.delay * factor);
        }
        outcomes
    }

    fn write_both(
        &mut self,
        layer: Option<&Layer>,
        jobs: &[Job],
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let database = match &mut self.state {
            State::Open(database) => database,
            State::Failed { why, .. } => return Err(why.clone()),
        };
        let mut commit = Commit::new();
        for write in layer.into_iter().flat_map(Layer::writes) {
            database.stage(write, &mut commit)?;
        }
        let mut room = free_space(&self.directory).saturating_sub(limits::DISK_RESERVE);
        let staged = jobs
            .iter()
            .map(|job| stage(database, job, &mut room, &mut commit));
        let outcomes = staged.collect::<Result<_, _>>()?;
        let mut before = database.before(&commit)?;
        // What changes nothing would still be written.
        commit.retain(|key, value| before.get(key) != Some(value));
        before.retain(|key, _| commit.contains_key(key));
        if !commit.is_empty() {
            let written = self.wear.count(|| {
                self.wear.grow(bytes(&commit) - bytes(&before));
                database.apply(commit)?;
                // Behind it, for in front of it sled would write it by itself.
                self.wear.save(database.rows())?;
                database.flush()
            });
            written.inspect_err(|_| self.take_back = before)?;
        }
        Ok(outcomes)
    }

    /// Closes the database after an error, for it never works again.
    fn close(&mut self, why: &StoreError) {
        if matches!(self.state, State::Open(_)) {
            log::error!("store: {why}; it is closed until that is over");
            self.rows.replace(None);
            self.state = State::Failed {
                why: why.clone(),
                retry: Instant::now() + limits::STORE_RETRY,
            };
        }
    }

    /// Opens the database again, if it is closed and it is time to.
    fn reopen(&mut self) {
        let State::Failed { why, retry } = &mut self.state else {
            return;
        };
        if Instant::now() < *retry {
            return;
        }
        let opened: Result<_, OpenError> = self.wear.count(|| {
            let mut database = Database::open(&self.path, self.cache)?;
            database.write(self.take_back.clone())?;
            Ok(database)
        });
        match opened {
            Ok(database) => {
                log::info!("store: works again");
                self.take_back = Commit::new();
                self.rows.replace(Some(database.rows().clone()));
                self.state = State::Open(database);
            }
            Err(error) => {
                *retry = Instant::now() + limits::STORE_RETRY;
                let error = StoreError::from(error);
                if error != *why {
                    log::error!("store: {error}");
                    *why = error;
                }
            }
        }
    }
}

impl Group {
    /// Adds a job; thrift makes it wait for others.
    fn add(&mut self, job: Job, thrift: bool) {
        let wait = match (job.urgency, thrift) {
            (Urgency::Now, false) => Duration::ZERO,
            (Urgency::Now, true) => limits::THRIFT_WAIT,
            (Urgency::Soon, false) => limits::RECEIPT_DELAY,
            (Urgency::Soon, true) => limits::THRIFT_RECEIPT_DELAY,
        };
        let due = Instant::now() + wait;
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
        self.changes += job.changes.len().max(1);
        self.jobs.push(job);
    }

    fn is_full(&self) -> bool {
        self.changes >= limits::COMMIT_CHANGES
    }

    fn is_due(&self) -> bool {
        self.is_full() || self.due.is_some_and(|due| due <= Instant::now())
    }
}

/// Adds a job to a commit, for which the disk has `room` bytes. `Ok(Err(_))` if only this job is refused,
/// `Err(_)` if the database has failed.
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

/// Whether a change makes the database grow for good.
pub(super) fn grows(change: &Change) -> bool {
    matches!(
        change,
        Change::PutNotification(_) | Change::PutAccount(_) | Change::PutDocument(_)
    )
}

/// Disk space that writes may take, with what sled spends on its log and on rewriting pages.
fn needed(writes: &[Write]) -> u64 {
    let bytes: usize = writes
        .iter()
        .map(|write| match write {
            Write::Put { key, value } => key.len() + value.len(),
            Write::Merge { key, entry } => key.len() + entry.len(),
            Write::Delete(key) | Write::DeletePrefix(key) => key.len(),
        })
        .sum();
    4 * bytes as u64
}

/// Bytes the rows of a commit take.
fn bytes(commit: &Commit) -> i64 {
    let rows = commit.iter();
    let bytes = rows.filter_map(|(key, value)| Some(compaction::row_bytes(key, value.as_ref()?)));
    i64::try_from(bytes.sum::<u64>()).unwrap_or(i64::MAX)
}

/// Bytes the file system has left for us. One that does not tell counts as empty: the write will show.
pub(super) fn free_space(directory: &File) -> u64 {
    rustix::fs::fstatvfs(directory).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::scratch::Scratch;
    use crate::edge::storage::Outcomes;
    use crate::push::notification::{DeliveryState, NotificationId};
    use crate::push::store::{Account, Delivery, DeviceId};

    fn open(data: &DataDir) -> (StorageThread, Outcomes) {
        let (outcomes, receiver) = async_channel::unbounded();
        let rows = Arc::new(SharedRows::default());
        let thread = StorageThread::open(data, &Storage::default(), rows, outcomes).unwrap();
        (thread, receiver)
    }

    fn group(batches: Vec<Vec<Change>>) -> Group {
        let mut group = Group::default();
        for (ticket, changes) in (1..).map(Ticket).zip(batches) {
            let urgency = Urgency::Now;
            let job = Job {
                ticket,
                changes,
                urgency,
            };
            group.add(job, false);
        }
        group
    }

    fn account(name: &str, alias: &str) -> Change {
        Change::PutAccount(Account {
            name: name.into(),
            alias: alias.into(),
            ..Account::default()
        })
    }

    fn delivery(device: u32) -> Change {
        Change::PutDelivery(Delivery {
            notification: NotificationId(1),
            device: DeviceId(device),
            state: DeliveryState::Sent,
            at: 0,
            queued: 0,
            sent: 0,
            acknowledged: 0,
        })
    }

    fn database(thread: &mut StorageThread) -> &mut Database {
        match &mut thread.state {
            State::Open(database) => database,
            State::Failed { why, .. } => panic!("{why}"),
        }
    }

    fn rows(thread: &mut StorageThread) -> Vec<(sled::IVec, sled::IVec)> {
        let rows = database(thread).rows().iter();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn what_a_failing_sync_refused_does_not_come_back_to_life() {
        let scratch = Scratch::new();
        let data = DataDir::open(scratch.path()).unwrap();
        let (mut thread, outcomes) = open(&data);
        let first = vec![account("sam", "old"), delivery(1), delivery(2)];
        drop(thread.commit(group(vec![first]), Extent::Unsettled));
        assert_eq!(outcomes.try_recv(), Ok((Ticket(1), Ok(()))));
        let before = rows(&mut thread);

        database(&mut thread).break_sync();
        let removed = Change::DeleteNotification(NotificationId(1));
        let second = vec![account("sam", "new"), account("ann", ""), removed];
        drop(thread.commit(group(vec![second, vec![delivery(3)]]), Extent::Unsettled));
        for ticket in [1, 2].map(Ticket) {
            let (told, outcome) = outcomes.try_recv().unwrap();
            assert_eq!(told, ticket);
            assert!(matches!(outcome, Err(StoreError::Failed(_))), "{outcome:?}");
        }
        // Closed: it neither writes nor opens before its time.
        thread.reopen();
        drop(thread.commit(group(vec![vec![delivery(4)]]), Extent::Unsettled));
        assert!(outcomes.try_recv().unwrap().1.is_err());

        if let State::Failed { retry, .. } = &mut thread.state {
            *retry = Instant::now();
        }
        thread.reopen();
        assert_eq!(rows(&mut thread), before);
        drop(thread.commit(group(vec![vec![delivery(5)]]), Extent::Unsettled));
        assert_eq!(outcomes.try_recv(), Ok((Ticket(1), Ok(()))));
    }

    #[test]
    fn writes_to_one_key_become_one() {
        let scratch = Scratch::new();
        let data = DataDir::open(scratch.path()).unwrap();
        let (mut thread, _outcomes) = open(&data);
        let mut room = u64::MAX;
        let mut commit = Commit::new();
        let batches = vec![
            vec![delivery(1)],
            vec![delivery(2), delivery(20)],
            vec![delivery(1)],
        ];
        for job in group(batches).jobs {
            let staged = stage(database(&mut thread), &job, &mut room, &mut commit);
            assert_eq!(staged, Ok(Ok(())));
        }
        assert_eq!(commit.len(), 2);
        assert!(room < u64::MAX);
    }

    #[test]
    fn a_group_is_due_when_somebody_waits_or_it_is_large() {
        let job = |urgency, changes| Job {
            ticket: Ticket(1),
            changes: vec![delivery(1); changes],
            urgency,
        };
        let mut group = Group::default();
        assert!(!group.is_due());
        group.add(job(Urgency::Soon, 1), false);
        assert!(!group.is_due());
        group.add(job(Urgency::Soon, limits::COMMIT_CHANGES - 2), false);
        assert!(!group.is_due() && !group.is_full());
        group.add(job(Urgency::Soon, 0), false);
        assert!(group.is_due() && group.is_full());
        let mut group = Group::default();
        group.add(job(Urgency::Soon, 1), false);
        group.add(job(Urgency::Now, 1), false);
        assert!(group.is_due() && !group.is_full());
    }
}
