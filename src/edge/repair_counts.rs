//! How often the database was repaired, in figures: `repairs.count` in the data directory, which is written only
//! when something has been repaired.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::repairs::{Step, replace};
use crate::push::views::Repaired;

/// What is counted, under the name it has in the file.
fn fields(counts: &mut Repaired) -> [(&'static str, &mut u64); 5] {
    [
        ("leftovers-removed", &mut counts.leftovers_removed),
        ("snapshots-dropped", &mut counts.snapshots_dropped),
        ("set-aside", &mut counts.set_aside),
        ("restored", &mut counts.restored),
        ("started-empty", &mut counts.started_empty),
    ]
}

/// What stands in `repairs.count`. What cannot be read there counts as nothing.
pub(super) fn load(data: &Path) -> Repaired {
    let text = fs::read_to_string(file(data)).unwrap_or_default();
    let mut counts = Repaired::default();
    for (name, count) in fields(&mut counts) {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        *count = found
            .and_then(|rest| rest.trim().parse().ok())
            .unwrap_or_default();
    }
    counts
}

/// Counts a step.
pub(super) fn count(data: &Path, step: &Step) -> io::Result<()> {
    let mut counts = load(data);
    let counted = match step {
        Step::LeftoversRemoved(_) => &mut counts.leftovers_removed,
        Step::SnapshotsDropped(_) => &mut counts.snapshots_dropped,
        Step::SetAside(..) => &mut counts.set_aside,
        Step::Restored(_) => &mut counts.restored,
        Step::StartedEmpty(_) => &mut counts.started_empty,
        // Nothing has been done about it.
        Step::Fewer { .. } => return Ok(()),
    };
    *counted = counted.saturating_add(1);
    let lines = fields(&mut counts).map(|(name, count)| format!("{name} {count}\n"));
    replace(data, &file(data), lines.concat().as_bytes())
}

fn file(data: &Path) -> PathBuf {
    data.join("repairs.count")
}
