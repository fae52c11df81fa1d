//! A disk that begins to fail behind the trial, while the database is being opened: sled panics there, and a
//! panic would end the process like a crash. It ends with a sentence and exit code 1 instead, as after any other
//! disk that fails; the files are whole, and the next start has everything.

use std::io::{self, Write};
use std::panic;
use std::process;
use std::thread;

use super::database::OPENER;

/// From here on a panic of the thread that opens the database ends the process in good order. Other panics are
/// what they were.
pub(super) fn end_in_good_order() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() != Some(OPENER) {
            return before(info);
        }
        let why = info.payload_as_str().unwrap_or("for no reason given");
        // The logger may be what has panicked, so it is not asked.
        let _ = writeln!(
            io::stderr().lock(),
            "lanpush: the disk failed while the database was being opened, and nothing of it was lost; start \
             again when the disk works: {}",
            why.escape_debug()
        );
        process::exit(1);
    }));
}
