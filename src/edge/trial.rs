//! Opening the database in a process of its own first: some damage makes sled search for ever or panic, its
//! threads cannot be ended, and a process can.
//!
//! It costs one exec, one more pass over the file, and what sled writes at each open, about 40 KB; nothing
//! of it stays in memory. It also reads the notifications' bodies, which the start itself does not.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use super::database::{Database, OpenError};
use super::wear::{self, Wear};
use crate::limits;
use crate::push::store::StoreError;

/// How to start a process that ends with [`report`].
#[derive(Clone, Debug)]
pub struct Trial {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; the directory of the database follows.
    pub arguments: Vec<OsString>,
    /// After it the process is ended, and the database counts as damaged.
    pub deadline: Duration,
}

impl Trial {
    /// The command that this program keeps for it.
    pub const COMMAND: &str = "try-database";

    /// By this very program, even if its file has been replaced or removed.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self {
            program: "/proc/self/exe".into(),
            arguments: vec![Self::COMMAND.into()],
            deadline: limits::STORE_OPEN,
        }
    }

    /// Opens and reads the database in `path` there; what that writes goes to `wear`.
    pub(super) fn run(&self, path: &Path, wear: &Wear) -> Verdict {
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => self.wait(child, wear).unwrap_or_else(Verdict::Untried),
            Err(error) => Verdict::Untried(error),
        }
    }

    fn wait(&self, mut child: Child, wear: &Wear) -> io::Result<Verdict> {
        let mut output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (said, wait) = mpsc::sync_channel(1);
        let listen = move || {
            let mut text = String::new();
            // What cannot be read is as good as nothing.
            let _ = output.read_to_string(&mut text);
            drop(said.send(text));
        };
        thread::Builder::new()
            .name("store-trial".into())
            .spawn(listen)?;
        let text = wait.recv_timeout(self.deadline);
        // It has closed its output, so it has closed the database; until it is waited for it can be asked.
        wear.wrote(wear::of_process(child.id()));
        let Ok(text) = text else {
            child.kill()?;
            // A process that waits for a broken disk does not even die; it is not waited for.
            let reap = move || drop(child.wait());
            thread::Builder::new()
                .name("store-trial".into())
                .spawn(reap)?;
            return Ok(Verdict::Damaged(OpenError::Slow.to_string()));
        };
        let status = child.wait()?;
        // A panic ends in another signal: this came from outside, and says nothing about the files.
        if status.signal() == Some(Signal::KILL.as_raw()) {
            return Ok(Verdict::Refused(KILLED.to_owned()));
        }
        let (word, rest) = text.trim_end().split_once(' ').unwrap_or_default();
        Ok(match (word, rest.parse()) {
            (FINE, Ok(accounts)) => Verdict::Fine(accounts),
            (REFUSED, _) => Verdict::Refused(rest.to_owned()),
            (FULL, _) => Verdict::Full,
            (DAMAGED, _) => Verdict::Damaged(rest.to_owned()),
            _ => Verdict::Damaged(format!("{} ({status})", OpenError::Panicked)),
        })
    }
}

/// What a trial has shown.
#[derive(Debug)]
pub(super) enum Verdict {
    /// All of it can be read; it has so many accounts.
    Fine(u64),
    /// It cannot be used, and why.
    Damaged(String),
    /// It may be whole, but cannot be opened as things are, and why.
    Refused(String),
    /// The disk is full.
    Full,
    /// There was no trial.
    Untried(io::Error),
}

const KILLED: &str = "the process that tried it was killed, as happens when memory runs out";
const FINE: &str = "fine";
const DAMAGED: &str = "damaged";
const REFUSED: &str = "refused";
const FULL: &str = "full";

/// What the process does: opens the database in `path`, reads all of it, and says on standard output how
/// that went.
#[must_use]
pub fn report(path: &Path) -> ExitCode {
    // Without its parent nobody wants to know, and sled's lock must not stay.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let outcome = Database::examine(path, limits::TRIAL_CACHE);
    let (line, code) = match outcome {
        Ok(accounts) => (format!("{FINE} {accounts}"), ExitCode::SUCCESS),
        Err(OpenError::Failed(StoreError::Full)) => (format!("{FULL} -"), ExitCode::FAILURE),
        Err(OpenError::Refused(why)) => (format!("{REFUSED} {why}"), ExitCode::FAILURE),
        Err(error) => (format!("{DAMAGED} {error}"), ExitCode::FAILURE),
    };
    let _ = writeln!(io::stdout().lock(), "{line}");
    code
}
