//! What has been repaired, and how a person gets to know: `repairs.txt` in the data directory.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::data_dir::sync_directory;
use super::import::Imported;
use crate::limits;
use crate::push::views::Repaired;
use crate::time::calendar;

/// One step of the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many snapshots were removed that a start which was cut short had not finished.
    LeftoversRemoved(usize),
    /// Snapshots and `conf` were put out of the way, because of this.
    SnapshotsDropped(String),
    /// The database was set aside in this directory, because of this.
    SetAside(PathBuf, String),
    /// The last automatic export has taken its place.
    Restored(Imported),
    /// The database has fewer accounts than the last automatic export. Somebody may have removed them; or a
    /// damage has taken them that sled passes over.
    Fewer {
        /// How many it has.
        accounts: u64,
        /// How many the export has.
        before: u64,
    },
    /// There was no export that could be read, for this reason: the server starts empty.
    StartedEmpty(String),
}

impl Step {
    /// Whether something may have been lost.
    pub(super) fn is_serious(&self) -> bool {
        matches!(
            self,
            Self::SetAside(..) | Self::Restored(_) | Self::StartedEmpty(_)
        )
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftoversRemoved(count) => {
                write!(
                    f,
                    "{count} unfinished snapshots of an interrupted start are removed"
                )
            }
            Self::SnapshotsDropped(why) => {
                write!(
                    f,
                    "{why}; sled's snapshots are dropped and it is tried again"
                )
            }
            Self::SetAside(path, why) => write!(f, "{why}; it is set aside as {path:?}"),
            Self::Restored(imported) => {
                let made = calendar(imported.made.unwrap_or(0));
                write!(
                    f,
                    "restored from the automatic export of {made} UTC: {imported}"
                )
            }
            Self::Fewer { accounts, before } => write!(
                f,
                "the database has {accounts} accounts, the last automatic export had {before}; if nobody has \
                 removed them, stop the server and bring them back with: lanpush import backup.jsonl"
            ),
            Self::StartedEmpty(why) => {
                write!(
                    f,
                    "nothing could be restored ({why}): the server has started empty"
                )
            }
        }
    }
}

/// What has been repaired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// At this start, in their order.
    pub steps: Vec<Step>,
    /// What a person has to know, of this start or of an earlier one: the lines of `repairs.txt`.
    pub warnings: Vec<String>,
    /// Bytes that trials and repairs have written to the disk, as [`super::wear`] counts them.
    pub written: u64,
    /// How often each step was taken, since the data directory was made.
    pub counts: Repaired,
}

/// What stands in `repairs.txt`, and in front of it how to be rid of it; nothing if nothing stands there.
pub(super) fn warnings(data: &Path) -> Vec<String> {
    let text = fs::read_to_string(file(data)).unwrap_or_default();
    let steps = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut warnings: Vec<String> = steps.map(str::to_owned).collect();
    if !warnings.is_empty() {
        let first = "the database was damaged, and this has been done about it; remove repairs.txt from the \
                     data directory to end this warning";
        warnings.insert(0, first.to_owned());
    }
    warnings
}

/// Adds a step to `repairs.txt`; `now` is in seconds since 1970.
pub(super) fn remember(data: &Path, now: u64, step: &Step) -> io::Result<()> {
    let path = file(data);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().collect();
    let line = format!("{} UTC: {step}", calendar(now));
    lines.push(&line);
    let newest = lines.iter().rev().take(limits::REPAIRS).rev();
    let text: String = newest.map(|line| format!("{line}\n")).collect();
    replace(data, &path, text.as_bytes())
}

/// Replaces a small file in the data directory as a whole.
pub(super) fn replace(data: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("tmp");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    sync_directory(data);
    Ok(())
}

fn file(data: &Path) -> PathBuf {
    data.join("repairs.txt")
}
