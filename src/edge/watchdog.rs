//! A thread that notices when the storage thread gets stuck. sled may wait for ever for a part of its log
//! that could not be written. A second flush finds the error and wakes up the first; should that not help, the
//! process ends, and its supervisor starts it again.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::storage::SharedRows;
use crate::limits;

/// Watches one thread. It sleeps without a timer while that one does.
pub(super) struct Watchdog {
    turns: Sender<Turn>,
}

/// Work that has begun; it is over when this is dropped.
pub(super) struct Work<'a>(&'a Watchdog);

enum Turn {
    Begun,
    Over,
}

impl Watchdog {
    /// A watchdog that ends the process when work takes longer than [`limits::STORE_WORK`].
    pub(super) fn start(rows: Arc<SharedRows>) -> Self {
        let mut nudging: Option<JoinHandle<()>> = None;
        let nudge = move || {
            if nudging.as_ref().is_none_or(JoinHandle::is_finished) {
                let rows = Arc::clone(&rows);
                // The disk may be slow and no error there: then this waits with the first.
                let thread = thread::Builder::new().name("store-nudge".into());
                nudging = thread.spawn(move || rows.nudge()).ok();
            }
        };
        Self::start_with(limits::STORE_NUDGE, nudge, end_process)
    }

    fn start_with(
        pause: Duration,
        nudge: impl FnMut() + Send + 'static,
        give_up: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (turns, seen) = mpsc::channel();
        let watch = move || watch(&seen, pause, nudge, give_up);
        let thread = thread::Builder::new().name("store-watch".into());
        if let Err(error) = thread.spawn(watch) {
            log::warn!("store: nobody watches whether it gets stuck: {error}");
        }
        Self { turns }
    }

    /// Work begins.
    pub(super) fn begin(&self) -> Work<'_> {
        // Without a watchdog thread nobody listens.
        drop(self.turns.send(Turn::Begun));
        Work(self)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        drop(self.0.turns.send(Turn::Over));
    }
}

fn watch(turns: &Receiver<Turn>, pause: Duration, mut nudge: impl FnMut(), give_up: impl FnOnce()) {
    while let Ok(turn) = turns.recv() {
        let mut nudges = limits::STORE_WORK.as_secs() / limits::STORE_NUDGE.as_secs();
        while matches!(turn, Turn::Begun)
            && matches!(turns.recv_timeout(pause), Err(RecvTimeoutError::Timeout))
        {
            if nudges == 0 {
                return give_up();
            }
            nudges -= 1;
            nudge();
        }
    }
}

fn end_process() {
    log::error!(
        "store: stuck for {} seconds; lanpush ends and has to be started again",
        limits::STORE_WORK.as_secs()
    );
    log::logger().flush();
    std::process::exit(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(pause: Duration) -> (Watchdog, Receiver<()>) {
        let (given_up, noticed) = mpsc::channel();
        let watchdog = Watchdog::start_with(pause, || {}, move || given_up.send(()).unwrap());
        (watchdog, noticed)
    }

    #[test]
    fn work_that_takes_too_long_is_noticed() {
        let (watchdog, noticed) = started(Duration::from_millis(2));
        let _stuck = watchdog.begin();
        assert_eq!(noticed.recv(), Ok(()));
    }

    #[test]
    fn work_that_ends_and_rest_are_not() {
        let (watchdog, noticed) = started(Duration::from_secs(3600));
        for _ in 0..1000 {
            drop(watchdog.begin());
        }
        drop(watchdog);
        assert!(noticed.recv().is_err(), "given up for nothing");
    }
}
