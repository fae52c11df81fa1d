//! The log, on standard error: one line each, safe to read, and never a reason to stop.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat, fstatvfs};
use simple_logger::SimpleLogger;

use crate::limits;

/// Sends everything the `log` macros are given to standard error, from `level` on.
///
/// Libraries are heard from `warn` on only. Calling it again only changes the level.
pub fn init(level: LevelFilter) {
    set_level(level);
    let logger = Logger {
        writer: SimpleLogger::new().with_level(LevelFilter::Trace),
        lost: AtomicU64::new(0),
    };
    // It fails when there is a logger already: then that one is ours.
    let _ = log::set_boxed_logger(Box::new(logger));
}

/// Changes the level while running.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Text from outside as it may be shown on a terminal or in a log: what would start a new line, drive the
/// terminal or reorder the text is written as an escape.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters, line and paragraph separator, and what changes the direction of text (UAX #9).
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Makes lines safe and hands them to `simple_logger`, which formats and writes them.
struct Logger {
    writer: SimpleLogger,
    /// Lines nobody took since the last one that was written.
    lost: AtomicU64,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
        metadata.level() <= log::max_level() && (ours || metadata.level() <= Level::Warn)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // simple_logger panics when standard error refuses a line, and a panic ends the process; a pipe
        // that nobody empties would hold up every phone.
        if !takes_a_line(io::stderr()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.writer.log(
                &Record::builder()
                    .level(Level::Warn)
                    .target(env!("CARGO_CRATE_NAME"))
                    .args(format_args!("{lost} log lines lost, nobody read them"))
                    .build(),
            );
        }
        let line = Line::of(record.args());
        self.writer.log(
            &Record::builder()
                .metadata(record.metadata().clone())
                .args(format_args!("{line}"))
                .build(),
        );
    }

    fn flush(&self) {}
}

/// Whether `output` would take a log line at once and without an error.
fn takes_a_line(output: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&output, PollFlags::OUT)];
    let polled = poll(&mut fds, Some(&Timespec::default()));
    let ready = fds.iter().all(|fd| fd.revents() == PollFlags::OUT);
    // A file is always ready, even on a full disk.
    polled.is_ok() && ready && has_room(&output)
}

/// Whether the disk under `output` has room for a line; what is not a file on a disk has.
fn has_room(output: &impl AsFd) -> bool {
    let is_file = fstat(output).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    if !is_file {
        return true;
    }
    // A file system in memory may not count its blocks.
    fstatvfs(output).is_ok_and(|disk| {
        disk.f_blocks == 0 || disk.f_bavail.saturating_mul(disk.f_frsize) >= limits::LOG_ROOM
    })
}

/// A message made safe, and cut at [`limits::LOG_LINE`] bytes while it is being written.
#[derive(Default)]
struct Line {
    text: String,
    /// Bytes of the message that found no room.
    cut: usize,
}

impl Line {
    fn of(message: &fmt::Arguments<'_>) -> Self {
        let mut line = Self::default();
        // A Display that fails says so by ending early; what it wrote is still worth a line.
        let _ = line.write_fmt(*message);
        line
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for (at, character) in piece.char_indices() {
            let mut one = [0; 4];
            let safe = printable(character.encode_utf8(&mut one));
            if self.cut > 0 || self.text.len() + safe.len() > limits::LOG_LINE {
                self.cut += piece.len() - at;
                break;
            }
            self.text.push_str(&safe);
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.cut > 0 {
            write!(f, "… ({} bytes more)", self.cut)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn unsafe_characters_are_escaped() {
        for (text, want) in [
            ("plain, Grüße, 你好 🎉", "plain, Grüße, 你好 🎉"),
            ("a\nERROR [lanpush] b", r"a\nERROR [lanpush] b"),
            ("a\r\tb", r"a\r\tb"),
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("\0\u{7f}\u{85}\u{9b}", r"\u{0}\u{7f}\u{85}\u{9b}"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            (
                "\u{202e}gpj\u{2066}\u{200f}\u{61c}",
                r"\u{202e}gpj\u{2066}\u{200f}\u{61c}",
            ),
            ("", ""),
        ] {
            assert_eq!(printable(text), want);
            assert_eq!(Line::of(&format_args!("{text}")).to_string(), want);
        }
    }

    #[test]
    fn lines_are_bounded() {
        let full = "x".repeat(limits::LOG_LINE);
        assert_eq!(Line::of(&format_args!("{full}")).to_string(), full);
        for (tail, cut) in [("y", 1), ("\n", 1), ("é", 2), ("yyyyyyyyyyyyyyyyy", 17)] {
            let line = Line::of(&format_args!("{full}{tail}")).to_string();
            assert_eq!(line, format!("{full}… ({cut} bytes more)"), "{tail:?}");
        }
        // Nothing that comes after a cut slips into the room left over.
        let nearly = "x".repeat(limits::LOG_LINE - 1);
        let line = Line::of(&format_args!("{nearly}{}{}", "\n", "z")).to_string();
        assert_eq!(line, format!("{nearly}… (2 bytes more)"));
        let controls = "\u{1b}".repeat(100_000);
        assert!(Line::of(&format_args!("{controls}")).text.len() <= limits::LOG_LINE);
    }

    #[test]
    fn a_line_fits_what_a_pipe_takes_at_once() {
        const PIPE_BUF: usize = 4096;
        const LEVEL_AND_TARGET: usize = 256;
        const { assert!(limits::LOG_LINE + LEVEL_AND_TARGET < PIPE_BUF) };
    }

    #[test]
    fn libraries_are_quieter() {
        let logger = Logger {
            writer: SimpleLogger::new(),
            lost: AtomicU64::new(0),
        };
        log::set_max_level(LevelFilter::Debug);
        for (target, level, want) in [
            ("lanpush", Level::Debug, true),
            ("lanpush::edge::tcp", Level::Debug, true),
            ("lanpush", Level::Trace, false),
            ("lanpush_other", Level::Info, false),
            ("sled::pagecache", Level::Info, false),
            ("sled::pagecache", Level::Warn, true),
            ("polling", Level::Debug, false),
        ] {
            let metadata = Metadata::builder().target(target).level(level).build();
            assert_eq!(logger.enabled(&metadata), want, "{target} {level}");
        }
    }

    #[test]
    fn who_takes_a_line() {
        let (mut reader, writer) = io::pipe().unwrap();
        assert!(takes_a_line(&writer), "an open pipe");
        // Filled without blocking: a pipe that takes no line any more stops taking bytes soon after.
        let mut filled = 0;
        while takes_a_line(&writer) {
            filled += (&writer).write(&[b'x'; 512]).unwrap();
        }
        assert!(filled > 0);
        let mut some = vec![0; filled];
        reader.read_exact(&mut some).unwrap();
        assert!(takes_a_line(&writer), "an emptied pipe");
        drop(reader);
        assert!(!takes_a_line(&writer), "a pipe without reader");

        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(takes_a_line(&near), "a socket");
        drop(far);
        assert!(!takes_a_line(&near), "a socket without peer");

        let null: OwnedFd = File::options()
            .write(true)
            .open("/dev/null")
            .unwrap()
            .into();
        assert!(takes_a_line(&null), "/dev/null");
    }
}
