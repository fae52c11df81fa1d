//! A file system of a test's own. Mounting needs root: without it such a test is skipped, but not in CI.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system; unmounted with its owner.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// Runs `mount` with these arguments before the path; `None` where that is not allowed.
    pub(crate) fn new(arguments: &[&str], path: &Path) -> Option<Self> {
        if succeeds(Command::new("mount").args(arguments).arg(path)) {
            return Some(Self(path.to_owned()));
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "CI has to be able to mount"
        );
        eprintln!("skipped: mounting a file system needs root");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a failing test may leave a process on it.
        let gone = succeeds(Command::new("umount").arg("--lazy").arg(&self.0));
        assert!(gone || std::thread::panicking());
    }
}

/// Runs a program to its end.
pub(crate) fn succeeds(program: &mut Command) -> bool {
    program.status().is_ok_and(|status| status.success())
}
