//! `lanpush send --wait`: how far each device has got, and whether that is far enough.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lanpush::edge::logging::printable;
use lanpush::limits;
use lanpush::time::calendar;
use serde::Deserialize;

use super::admin::{Admin, NO_BODY};
use super::{Failure, say};

/// What `--for` takes, in the order in which a device gets there.
pub(super) const STATES: [&str; 3] = ["sent", "acknowledged", "confirmed"];

/// How far a push has to get, and in what time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Patience {
    pub seconds: u32,
    /// One of [`STATES`].
    pub until: &'static str,
}

#[derive(Deserialize)]
struct Progress {
    reached: bool,
    scheduled: bool,
    total: usize,
    counts: BTreeMap<String, usize>,
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    device: String,
    state: String,
    at: u64,
}

impl Progress {
    /// Whether a device may still get there.
    fn is_open(&self, until: &str) -> bool {
        let before = STATES.iter().take_while(|state| **state != until);
        let mut before = std::iter::once(&"queued").chain(before);
        self.scheduled
            || before.any(|state| self.counts.get(*state).is_some_and(|count| *count > 0))
    }
}

/// Waits, prints what became of each device, and fails unless all of them have got there.
pub(super) fn perform(admin: &Admin, id: &str, patience: &Patience) -> Result<(), Failure> {
    let Patience { seconds, until } = patience;
    let end = Instant::now() + Duration::from_secs(u64::from(*seconds));
    let progress = loop {
        let left = end.saturating_duration_since(Instant::now());
        let wait = left.min(limits::HTTP_WAIT);
        // The last second of a wait is one too.
        let rounded = wait.as_millis().div_ceil(1000);
        let path = format!("/api/v1/notifications/{id}?wait={rounded}&for={until}");
        let answer = admin.ask_within("GET", &path, NO_BODY, limits::ADMIN_WAIT + wait)?;
        let progress: Progress = answer.json()?;
        if progress.reached || left <= limits::HTTP_WAIT || !progress.is_open(until) {
            break progress;
        }
    };
    say(&progress.deliveries.iter().map(row).collect::<String>())?;
    let listed = progress.deliveries.len();
    if listed < progress.total {
        say(&format!("and {} more\n", progress.total - listed))?;
    }
    if progress.reached {
        return Ok(());
    }
    Err(Failure::Run(match progress.total {
        0 if progress.scheduled => "it still waits for its time".to_owned(),
        0 => "there is no device to get it".to_owned(),
        _ if progress.is_open(until) => {
            format!("not every device has got as far as {until} within {seconds} seconds")
        }
        _ => format!("not every device has got as far as {until}, and no other will"),
    }))
}

fn row(delivery: &Delivery) -> String {
    let (device, state) = (printable(&delivery.device), printable(&delivery.state));
    format!("{device:<48} {state:<12} {}\n", calendar(delivery.at))
}
