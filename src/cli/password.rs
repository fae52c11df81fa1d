//! A password from standard input: shown to nobody if that is a terminal.

use std::io::{self, Read as _, Stdin, Write as _};

use lanpush::limits;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use super::{Failure, plain};

/// What Ctrl-C sends.
const END_OF_TEXT: u8 = 3;

/// The first line of standard input.
pub(super) fn ask(name: &str) -> Result<String, Failure> {
    let stdin = io::stdin();
    let hidden = Hidden::on(&stdin);
    if hidden.is_some() {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "Password for {name}: ");
        let _ = stderr.flush();
    }
    let line = read_line(&stdin);
    if hidden.is_some() {
        let _ = writeln!(io::stderr());
    }
    line
}

fn read_line(stdin: &Stdin) -> Result<String, Failure> {
    let failed = |text: String| Err(Failure::Run(text));
    let mut line = Vec::new();
    for byte in stdin.lock().bytes().take(limits::PASSWORD + 2) {
        match byte {
            Ok(b'\n') => break,
            Ok(END_OF_TEXT) => return failed("cancelled".to_owned()),
            Ok(byte) => line.push(byte),
            Err(error) => return failed(format!("cannot read the password: {}", plain(&error))),
        }
    }
    let line = line.strip_suffix(b"\r").unwrap_or(&line);
    if line.is_empty() {
        return failed("no password on standard input".to_owned());
    }
    if line.len() > limits::PASSWORD {
        let limit = limits::PASSWORD;
        return failed(format!("password is longer than {limit} bytes"));
    }
    match std::str::from_utf8(line) {
        Ok(password) => Ok(password.to_owned()),
        Err(_) => failed("the password is not UTF-8".to_owned()),
    }
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> Hidden<'a> {
    /// None if standard input is no terminal.
    fn on(stdin: &'a Stdin) -> Option<Self> {
        let before = tcgetattr(stdin).ok()?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO;
        // Ctrl-C would end us before the echo is back. So it ends the line instead, and we look for it.
        silent.local_modes -= LocalModes::ISIG;
        silent.special_codes[SpecialCodeIndex::VEOL] = END_OF_TEXT;
        tcsetattr(stdin, OptionalActions::Flush, &silent).ok()?;
        Some(Self { stdin, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.stdin, OptionalActions::Now, &self.before);
    }
}
