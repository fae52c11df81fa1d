//! Making the database fit to be opened: the repair ladder.
//!
//! 1. A database whose files are there is opened and read in a [`Trial`].
//! 2. If that fails for damage, sled's snapshots and its `conf` are put out of the way: sled makes both anew
//!    from the log. Then another trial.
//! 3. If that fails too, or the log is gone, the directory is set aside as `db.bad.N`, and the last automatic
//!    export takes its place. Without one the server starts empty.
//!
//! In front of all that a compaction that was interrupted is brought to its end: until then the database may
//! have another name.
//!
//! Each step is logged. From the third on it is also written to `repairs.txt` in the data directory, which is
//! shown as a warning at every start until somebody removes the file. What is no damage (a full disk, missing
//! rights, files in use, a later version) repairs nothing and fails the start.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::backup;
use super::compaction;
use super::data_dir::{DataDir, sync_directory};
use super::database::{Database, OpenError, files, remove_unfinished};
use super::import;
use super::repair_counts;
use super::repairs;
pub use super::repairs::{Repairs, Step};
use super::storage::{Outcomes, SledStore};
use super::trial::{Trial, Verdict};
use super::wear::{self, Wear};
use crate::config::Storage;
use crate::limits;
use crate::push::store::StoreError;

/// Brings the database in `data` into a state in which it opens; `now` is in seconds since 1970.
///
/// # Errors
/// [`OpenError`] if it cannot be opened for another reason than damage, or if the repair fails.
pub fn repair(data: &DataDir, cache: u64, trial: &Trial, now: u64) -> Result<Repairs, OpenError> {
    let mut ladder = Ladder {
        data,
        cache,
        now,
        steps: Vec::new(),
        wear: Wear::for_a_start(),
    };
    // Before it is done there may be no database where it belongs.
    compaction::finish(&data.database())?;
    ladder.climb(trial)?;
    let fewer = ladder
        .steps
        .iter()
        .find(|step| matches!(step, Step::Fewer { .. }));
    let mut warnings = repairs::warnings(data.path());
    warnings.extend(fewer.map(ToString::to_string));
    Ok(Repairs {
        steps: ladder.steps,
        warnings,
        written: ladder.wear.view().bytes_total,
        counts: repair_counts::load(data.path()),
    })
}

/// As [`repair`], and opens the store. What opens in a trial may still fail behind it, for sled writes when
/// it opens; then it is repaired once more.
///
/// # Errors
/// As [`repair`].
pub fn open(
    data: &DataDir,
    config: &Storage,
    trial: &Trial,
    now: u64,
) -> Result<(SledStore, Outcomes, Repairs), OpenError> {
    let mut repairs = repair(data, config.cache, trial, now)?;
    let opened = match SledStore::open_with(data, config) {
        Err(error) if error.is_damage() => {
            log::warn!("store: {error}");
            let mut steps = std::mem::take(&mut repairs.steps);
            let written = repairs.written;
            repairs = repair(data, config.cache, trial, now)?;
            steps.append(&mut repairs.steps);
            repairs.steps = steps;
            repairs.written += written;
            SledStore::open_with(data, config)
        }
        opened => opened,
    };
    let (store, outcomes) = opened?;
    store.wear().wrote(repairs.written);
    Ok((store, outcomes, repairs))
}

struct Ladder<'a> {
    data: &'a DataDir,
    cache: u64,
    now: u64,
    steps: Vec<Step>,
    /// What trials and repairs write, which no open database counts.
    wear: Wear,
}

/// What is there of a database.
enum Files {
    /// Nothing.
    None,
    /// Other files, but no log, or an empty one.
    NoLog,
    /// A log.
    Log,
}

impl Ladder<'_> {
    fn climb(&mut self, trial: &Trial) -> Result<(), OpenError> {
        remove_all(&self.restoring())?;
        match self.files()? {
            Files::None if backup::path(self.data.path()).exists() => {
                log::error!("store: the database is missing");
                self.restore()
            }
            Files::None => Ok(()),
            Files::NoLog => self.set_aside("the database has lost its log".into()),
            Files::Log => {
                self.check_conf()?;
                self.remove_leftovers()?;
                let Some(why) = self.examine(trial)? else {
                    return Ok(());
                };
                if !self.drop_snapshots(&why)? {
                    return self.set_aside(why);
                }
                match self.examine(trial)? {
                    None => Ok(()),
                    Some(why) => self.set_aside(why),
                }
            }
        }
    }

    fn files(&self) -> io::Result<Files> {
        let path = self.data.database();
        let others = files(&path, |_| true)?;
        if others.is_empty() {
            return Ok(Files::None);
        }
        let length = match fs::metadata(path.join("db")) {
            Ok(log) => Some(log.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // A start that was cut short leaves an empty log, but no snapshot.
        let is_snapshot = |file: &PathBuf| file.to_string_lossy().contains("/snap.");
        let was_filled = || others.iter().any(is_snapshot) || self.backed_up() > 0;
        Ok(match length {
            None => Files::NoLog,
            Some(0) if was_filled() => Files::NoLog,
            Some(_) => Files::Log,
        })
    }

    /// Accounts in the last automatic export.
    fn backed_up(&self) -> u64 {
        let counts = backup::counts_of(&backup::path(self.data.path()));
        counts.unwrap_or_default().accounts
    }

    /// Why the database is damaged, if it is.
    fn examine(&mut self, trial: &Trial) -> Result<Option<String>, OpenError> {
        match trial.run(&self.data.database(), &self.wear) {
            // A log that was cut short opens, with what is left of it.
            Verdict::Fine(accounts) => {
                let before = self.backed_up();
                if accounts == 0 && before > 0 {
                    return Ok(Some("the database has lost everything".to_owned()));
                }
                if accounts < before {
                    self.note(Step::Fewer { accounts, before });
                }
                Ok(None)
            }
            Verdict::Damaged(why) => Ok(Some(why)),
            Verdict::Refused(why) => Err(OpenError::Refused(why)),
            Verdict::Full => Err(OpenError::Failed(StoreError::Full)),
            Verdict::Untried(error) => {
                log::warn!("store: opened without a trial, which cannot be started: {error}");
                Ok(None)
            }
        }
    }

    /// Refuses what a later sled has written.
    fn check_conf(&self) -> Result<(), OpenError> {
        let conf = fs::read(self.data.database().join("conf")).unwrap_or_default();
        match version(&conf) {
            Some(version) if version > SLED => Err(OpenError::Refused(format!(
                "a later lanpush wrote it (sled {}.{}, this one knows {}.{}); use that one",
                version.0, version.1, SLED.0, SLED.1
            ))),
            _ => Ok(()),
        }
    }

    fn remove_leftovers(&mut self) -> Result<(), OpenError> {
        match remove_unfinished(&self.data.database())? {
            0 => {}
            count => self.note(Step::LeftoversRemoved(count)),
        }
        Ok(())
    }

    /// False if there is nothing to drop.
    fn drop_snapshots(&mut self, why: &str) -> Result<bool, OpenError> {
        let path = self.data.database();
        let snapshots = files(&path, |name| name.starts_with("snap."))?;
        let conf = path.join("conf");
        if snapshots.is_empty() && !conf.exists() {
            return Ok(false);
        }
        self.note(Step::SnapshotsDropped(why.to_owned()));
        for snapshot in snapshots {
            fs::remove_file(snapshot)?;
        }
        if conf.exists() {
            // Its bytes may tell a person what has happened.
            fs::rename(&conf, path.join("conf.bad"))?;
        }
        sync_directory(&path);
        Ok(true)
    }

    fn set_aside(&mut self, why: String) -> Result<(), OpenError> {
        let (path, database) = (self.data.path(), self.data.database());
        let mut kept: Vec<(u64, PathBuf)> = files(path, |name| name.starts_with("db.bad."))?
            .into_iter()
            .filter_map(|path| Some((path.extension()?.to_str()?.parse().ok()?, path)))
            .collect();
        kept.sort();
        let number = kept
            .last()
            .map_or(1, |(number, _)| number.saturating_add(1));
        let excess = (kept.len() + 1).saturating_sub(limits::BAD_DATABASES);
        for (_, old) in kept.iter().take(excess) {
            remove_all(old)?;
        }
        let aside = path.join(format!("db.bad.{number}"));
        self.note(Step::SetAside(aside.clone(), why));
        fs::rename(&database, aside)?;
        sync_directory(path);
        self.restore()
    }

    /// Makes a database out of the last automatic export, in a place of its own: cut short, it leaves none.
    fn restore(&mut self) -> Result<(), OpenError> {
        let backup = backup::path(self.data.path());
        let file = match File::open(&backup) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.note(Step::StartedEmpty(
                    "there is no automatic export yet".into(),
                ));
                return Ok(());
            }
            Err(error) => {
                self.note(Step::StartedEmpty(format!("{backup:?}: {error}")));
                return Ok(());
            }
        };
        let restoring = self.restoring();
        let (database, imported) = self.wear.count(|| -> Result<_, OpenError> {
            let mut database = Database::open(&restoring, self.cache)?;
            let imported = import::run(&mut database, &mut BufReader::new(file), false);
            Ok((database, imported))
        })?;
        match imported {
            Ok(imported) => {
                if let Some(written) = imported.written {
                    wear::restored(database.rows(), written, imported.made.unwrap_or(0))?;
                }
                drop(database);
                fs::rename(&restoring, self.data.database())?;
                sync_directory(self.data.path());
                for (line, why) in &imported.complaints {
                    log::warn!("store: {backup:?} line {line}: {why}");
                }
                self.note(Step::Restored(imported));
            }
            Err(import::ImportError::Store(error)) => return Err(error.into()),
            Err(error) => {
                drop(database);
                remove_all(&restoring)?;
                // The next export must not replace it: a person may still make something of it.
                let aside = backup.with_extension("bad");
                fs::rename(&backup, &aside)?;
                self.note(Step::StartedEmpty(format!("{aside:?}: {error}")));
            }
        }
        Ok(())
    }

    fn restoring(&self) -> PathBuf {
        self.data.path().join("db.restoring")
    }

    fn note(&mut self, step: Step) {
        if step.is_serious() {
            log::error!("store: {step}");
            if let Err(error) = repairs::remember(self.data.path(), self.now, &step) {
                log::error!("store: repairs.txt cannot be written: {error}");
            }
        } else {
            log::warn!("store: {step}");
        }
        if let Err(error) = repair_counts::count(self.data.path(), &step) {
            log::error!("store: repairs.count cannot be written: {error}");
        }
        self.steps.push(step);
    }
}

/// The version of sled's files that this program reads and writes.
const SLED: (u32, u32) = (0, 34);

/// The version of sled that wrote this `conf`.
fn version(conf: &[u8]) -> Option<(u32, u32)> {
    // A checksum follows the text.
    let (text, _) = conf.split_last_chunk::<4>()?;
    let text = std::str::from_utf8(text).ok()?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("version: "))?;
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
