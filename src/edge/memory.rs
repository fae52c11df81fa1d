//! Memory, asked about once at the start: how much of it the machine has left, and whether our data lie in it.
//!
//! A kernel promises more memory than it has, and when it is asked for that ends a process, at a moment and
//! of a choice that nobody foresees. So little memory is said before.

use std::fs;
use std::path::Path;

use rustix::fs::statfs;

use super::error::RunError;
use crate::limits::{MEMORY_NEEDED, MEMORY_WANTED};

/// Bytes that can be had, swap included; `None` if the kernel does not tell.
///
/// Of its own caches the kernel calls nearly all reclaimable. In a guest of 48 MB it killed processes when it still
/// said 5.3 MB, of which such caches were 4.6: half of them are not counted.
fn left(meminfo: &str) -> Option<u64> {
    let figure = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    let caches = figure("SReclaimable:").unwrap_or(0);
    figure("MemAvailable:")?
        .saturating_sub(caches / 2)
        .checked_add(figure("SwapFree:").unwrap_or(0))
}

/// Says so if there is little memory, before anything is opened.
///
/// # Errors
/// [`RunError::Memory`] below [`MEMORY_NEEDED`].
pub(super) fn check() -> Result<(), RunError> {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    match left(&meminfo) {
        Some(left) if left < MEMORY_NEEDED => Err(RunError::Memory(left)),
        Some(left) if left < MEMORY_WANTED => {
            log::warn!(
                "this machine has {} KB of memory left and lanpush may want {}: the system may end it",
                left / 1000,
                MEMORY_WANTED / 1000
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Says so if a directory is gone after a restart of the machine, as /tmp and /var are on a router.
pub(super) fn warn_of_data_in_memory(path: &Path) {
    // TMPFS_MAGIC and RAMFS_MAGIC of linux/magic.h; the field's type is another on each processor.
    let in_memory = ["1021994", "858458f6"];
    let kind = statfs(path).map(|system| format!("{:x}", system.f_type));
    if kind.is_ok_and(|kind| in_memory.contains(&kind.as_str())) {
        log::warn!("{path:?} lies in memory: a restart of this machine takes everything in it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        meminfo: &'static str,
        left: Option<u64>,
    }

    const CASES: &[Case] = &[
        Case {
            name: "a router",
            meminfo: "MemTotal:          46276 kB\nMemFree:           26320 kB\n\
                      MemAvailable:      28340 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n",
            left: Some(28340 * 1024),
        },
        Case {
            name: "swap counts",
            meminfo: "MemAvailable:       1000 kB\nSwapCached: 7 kB\nSwapFree:        3000 kB\n",
            left: Some(4000 * 1024),
        },
        Case {
            name: "no swap in the kernel",
            meminfo: "MemAvailable: 1 kB\n",
            left: Some(1024),
        },
        Case {
            name: "half of the kernel's caches",
            meminfo: "MemAvailable:       6852 kB\nSlab:              10176 kB\nSReclaimable:       6424 kB\n",
            left: Some((6852 - 3212) * 1024),
        },
        Case {
            name: "nothing but the kernel's caches",
            meminfo: "MemAvailable:       1000 kB\nSReclaimable:       6424 kB\nSwapFree: 10 kB\n",
            left: Some(10 * 1024),
        },
        Case {
            name: "a kernel before 3.14",
            meminfo: "MemTotal: 46276 kB\nMemFree: 26320 kB\n",
            left: None,
        },
        Case {
            name: "nothing",
            meminfo: "",
            left: None,
        },
        Case {
            name: "no number",
            meminfo: "MemAvailable: many kB\n",
            left: None,
        },
    ];

    #[test]
    fn what_is_left() {
        for case in CASES {
            assert_eq!(left(case.meminfo), case.left, "{}", case.name);
        }
    }
}
