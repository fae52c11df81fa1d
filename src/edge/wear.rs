//! Flash wear: what has been written to the disk, today and ever, against a budget.
//!
//! The measure is `write_bytes` of `/proc/self/io`: whole pages (4 KiB) the process has made dirty on a disk,
//! so a commit of 300 bytes counts as what flash has to take for it. It is read around every call that writes
//! to the database. The file's inode is in it, the file system's journal is not. A kernel without that file
//! (`CONFIG_TASK_IO_ACCOUNTING`) counts nothing, which the log says once.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::database::sled_error;
use crate::limits;
use crate::push::export::Written;
use crate::push::store::StoreError;

/// Tree of the database with the counts, so that a restart goes on counting.
pub(super) const TREE: &str = "wear";
const KEY: &str = "counts";
/// What flash is written in, in bytes.
const PAGE: u64 = 4096;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Counts what is written, and what is alive.
#[derive(Debug)]
pub struct Wear {
    budget: u64,
    meter: Option<File>,
    counts: Mutex<Counts>,
}

/// What has been written to the database and to automatic exports, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WearView {
    /// Since midnight UTC, by the wall clock of this machine.
    pub bytes_today: u64,
    /// Since the database was made.
    pub bytes_total: u64,
    /// `storage.write_budget`; 0 for none.
    pub budget: u64,
    /// Whether today's budget is used up.
    pub over_budget: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Days since 1970.
    day: u64,
    today: u64,
    total: u64,
    /// Bytes of all rows of the database.
    live: u64,
    /// Size of the file after the last compaction.
    compacted: u64,
    /// The log has said that this day's budget is used up.
    warned: bool,
}

impl WearView {
    /// What an administrator should know, or `None`.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.over_budget.then(|| {
            format!(
                "the write budget of today is used up ({} of {} bytes); pushes are gathered for longer \
                 before they are written",
                self.bytes_today, self.budget
            )
        })
    }
}

impl Wear {
    /// Nothing counted yet; `budget` in bytes a day, 0 for none.
    pub(super) fn new(budget: u64) -> Self {
        let wear = Self {
            budget,
            ..Self::for_a_start()
        };
        if wear.meter.is_none() {
            log::warn!(
                "this kernel does not count what is written to the disk; storage.write_budget has no effect"
            );
        }
        wear
    }

    /// Counts what is written before there is a database.
    pub(super) fn for_a_start() -> Self {
        let meter = File::open("/proc/self/io").ok();
        Self {
            budget: 0,
            meter: meter.filter(|file| written(file).is_some()),
            counts: Mutex::default(),
        }
    }

    /// What has been written.
    #[must_use]
    pub fn view(&self) -> WearView {
        let counts = self.on(today());
        WearView {
            bytes_today: counts.today,
            bytes_total: counts.total,
            budget: self.budget,
            over_budget: self.is_over(&counts),
        }
    }

    /// Whether today's budget is used up.
    pub(super) fn is_over_budget(&self) -> bool {
        self.is_over(&self.on(today()))
    }

    /// Counts what is written to the disk during a call.
    pub(super) fn count<T>(&self, write: impl FnOnce() -> T) -> T {
        let read = || self.meter.as_ref().and_then(written).unwrap_or(0);
        let before = read();
        let result = write();
        self.add(read().saturating_sub(before), today());
        result
    }

    /// Adds to what an earlier process has counted.
    pub(super) fn restore(&self, rows: &sled::Db) -> Result<(), StoreError> {
        let tree = rows.open_tree(TREE).map_err(sled_error)?;
        let saved = tree.get(KEY).map_err(sled_error)?;
        // Damaged counts are no counts.
        let Some(saved) = saved.as_deref().and_then(Counts::read) else {
            return Ok(());
        };
        let day = today();
        self.on(day);
        let mut counts = self.lock();
        counts.total += saved.total;
        counts.live = saved.live;
        counts.compacted = saved.compacted;
        if saved.day == day {
            counts.today += saved.today;
        }
        Ok(())
    }

    /// Whether a file of that size may be worth compacting: it has grown since the last time, and its rows
    /// are a small part of it. sled needs much more than their bytes for rows as short as a delivery.
    pub(super) fn looks_dead(&self, size: u64) -> bool {
        let counts = self.on(today());
        size / 2 > counts.compacted && size / limits::COMPACT_RATIO > counts.live
    }

    /// The database has been copied to a file of that size.
    pub(super) fn compacted(&self, size: u64, live: u64) {
        let mut counts = self.lock();
        counts.compacted = size;
        counts.live = live;
    }

    /// Rows have become longer or shorter by so many bytes.
    pub(super) fn grow(&self, bytes: i64) {
        let mut counts = self.lock();
        counts.live = counts.live.saturating_add_signed(bytes);
    }

    /// Has the counts written with the next flush.
    pub(super) fn save(&self, rows: &sled::Db) -> Result<(), StoreError> {
        let tree = rows.open_tree(TREE).map_err(sled_error)?;
        let counts = self.on(today()).write();
        tree.insert(KEY, counts.as_slice()).map_err(sled_error)?;
        Ok(())
    }

    /// Counts a file of that length that has been written beside the database: its pages, and one of what
    /// the file system keeps of it.
    pub(super) fn wrote_file(&self, length: u64) {
        self.add((length.div_ceil(PAGE) + 1) * PAGE, today());
    }

    /// Counts what has been written by others, or before there was a database.
    pub(super) fn wrote(&self, bytes: u64) {
        self.add(bytes, today());
    }

    fn add(&self, bytes: u64, day: u64) {
        self.on(day);
        // Held to the end: more than one thread writes.
        let mut counts = self.lock();
        counts.today += bytes;
        counts.total += bytes;
        if self.is_over(&counts) && !counts.warned {
            counts.warned = true;
            let (today, budget) = (counts.today, self.budget);
            log::warn!("the write budget of today is used up: {today} of {budget} bytes");
        }
    }

    /// The counts on that day. A clock set back or forward begins a day.
    fn on(&self, day: u64) -> Counts {
        let mut counts = self.lock();
        if counts.day != day {
            *counts = Counts {
                day,
                today: 0,
                warned: false,
                ..*counts
            };
        }
        *counts
    }

    fn is_over(&self, counts: &Counts) -> bool {
        self.budget > 0 && counts.today >= self.budget
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn write(self) -> Vec<u8> {
        let numbers = [self.day, self.today, self.total, self.live, self.compacted];
        let mut bytes = numbers.map(u64::to_be_bytes).concat();
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (counts, crc) = bytes.split_last_chunk::<4>()?;
        let (numbers, rest) = counts.as_chunks::<8>();
        let [day, today, total, live, compacted] =
            numbers.first_chunk::<5>()?.map(u64::from_be_bytes);
        let whole = rest.is_empty() && numbers.len() == 5;
        (whole && *crc == crc32fast::hash(counts).to_be_bytes()).then_some(Self {
            day,
            today,
            total,
            live,
            compacted,
            warned: false,
        })
    }
}

/// What has been counted for a database by the second `now`, if that can be read.
pub(super) fn saved(rows: &sled::Db, now: u64) -> Option<Written> {
    let tree = rows.open_tree(TREE).ok()?;
    let counts = Counts::read(&tree.get(KEY).ok()??)?;
    Some(Written {
        total: counts.total,
        today: match counts.day == now / SECONDS_PER_DAY {
            true => counts.today,
            false => 0,
        },
    })
}

/// Lets a database that was restored from an export made at the second `made` go on counting where that one
/// had stopped.
pub(super) fn restored(rows: &sled::Db, written: Written, made: u64) -> Result<(), StoreError> {
    let counts = Counts {
        day: made / SECONDS_PER_DAY,
        today: written.today,
        total: written.total,
        ..Counts::default()
    };
    let tree = rows.open_tree(TREE).map_err(sled_error)?;
    tree.insert(KEY, counts.write()).map_err(sled_error)?;
    rows.flush().map_err(sled_error).map(drop)
}

/// Bytes that a process which may have ended, but has not been waited for, has written; 0 if that cannot be
/// read.
pub(super) fn of_process(id: u32) -> u64 {
    let file = File::open(format!("/proc/{id}/io"));
    file.ok().as_ref().and_then(written).unwrap_or(0)
}

/// `write_bytes` of a file such as `/proc/self/io`.
fn written(file: &File) -> Option<u64> {
    let mut buffer = [0; 512];
    let length = file.read_at(&mut buffer, 0).ok()?;
    let text = str::from_utf8(buffer.get(..length)?).ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
}

/// Days since 1970.
fn today() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / SECONDS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_lasts_a_day() {
        let wear = Wear::new(1000);
        let day = today();
        wear.add(600, day);
        assert!(!wear.is_over_budget());
        assert_eq!(wear.view().warning(), None);
        wear.add(400, day);
        let view = wear.view();
        assert_eq!((view.bytes_today, view.bytes_total), (1000, 1000));
        assert!(view.over_budget && view.warning().unwrap().contains("1000 of 1000"));
        wear.add(5, day + 1);
        let next = wear.on(day + 1);
        assert_eq!((next.today, next.total), (5, 1005));
        assert!(!wear.is_over(&next));
    }

    #[test]
    fn no_budget_is_never_used_up() {
        let wear = Wear::new(0);
        wear.add(u64::MAX / 2, today());
        assert_eq!(wear.view().warning(), None);
    }

    #[test]
    fn damaged_counts_are_none() {
        let counts = Counts {
            day: 20_000,
            today: 5,
            total: 7_000_000_000,
            live: 6,
            compacted: 9,
            warned: false,
        };
        let saved = counts.write();
        assert_eq!(Counts::read(&saved), Some(counts));
        for length in 0..saved.len() {
            assert_eq!(Counts::read(&saved[..length]), None, "{length} bytes");
        }
        let mut flipped = saved.clone();
        flipped[9] ^= 1;
        assert_eq!(Counts::read(&flipped), None);
        assert_eq!(Counts::read(&[saved, vec![0; 8]].concat()), None);
    }
}
