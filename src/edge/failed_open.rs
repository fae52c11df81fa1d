//! A disk that fails where sled cannot say so: behind the trial, while the database is being opened, and in the
//! middle of some of its writes. sled panics there, and a panic would end the process like a crash. It ends with a
//! sentence and exit code 1 instead, as after any other disk that fails; what was accepted is on the disk, and the
//! next start has everything.

use std::io::{self, Write};
use std::panic;
use std::process;
use std::thread;

use super::database::OPENER;
use super::storage::STORAGE;

/// From here on a panic of a thread that opens or writes the database ends the process in good order. Other panics
/// are what they were.
pub(super) fn end_in_good_order() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let Some(doing) = thread::current().name().and_then(doing) else {
            return before(info);
        };
        let why = info.payload_as_str().unwrap_or("for no reason given");
        // The logger may be what has panicked, so it is not asked.
        let _ = writeln!(
            io::stderr().lock(),
            "lanpush: the disk failed while the database was being {doing}, and nothing of it was lost; start \
             again when the disk works: {}",
            why.escape_debug()
        );
        process::exit(1);
    }));
}

/// What a thread of that name does to the database, if anything.
fn doing(thread: &str) -> Option<&'static str> {
    match thread {
        OPENER => Some("opened"),
        STORAGE => Some("written"),
        // sled's own.
        name if name.starts_with("sled") => Some("written"),
        _ => None,
    }
}
