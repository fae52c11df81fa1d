//! The file of an import, line by line.

use std::io::{self, BufRead, Read};

use super::{ImportError, Imported};
use crate::limits;
use crate::push::androidpn;
use crate::push::export::{BadLine, Counts, Line};

/// Reads `file` and hands its records to `take`, in their order; what is wrong with it goes to `report`.
///
/// # Errors
/// [`ImportError`], or what `take` says.
pub fn read<E: From<ImportError>>(
    file: &mut dyn BufRead,
    report: &mut Imported,
    take: &mut dyn FnMut(Line, &mut Imported) -> Result<(), E>,
) -> Result<(), E> {
    if androidpn::looks_like_sql(file.fill_buf().map_err(ImportError::Io)?) {
        let mut text = Vec::new();
        let mut file = file.take(limits::SQL_BYTES + 1);
        file.read_to_end(&mut text).map_err(ImportError::Io)?;
        if text.len() as u64 > limits::SQL_BYTES {
            return Err(ImportError::TooLong.into());
        }
        let users = androidpn::users(&text);
        for (line, why) in users.bad {
            report.complain(line, why);
        }
        let mut accounts = users.accounts.into_iter();
        return accounts.try_for_each(|account| take(Line::Account(account), report));
    }
    let mut seen = Counts::default();
    let mut end = None;
    let mut text = Vec::new();
    for number in 1.. {
        let whole = read_line(file, &mut text).map_err(ImportError::Io)?;
        if text.is_empty() {
            break;
        }
        let line = if whole {
            Line::parse(text.trim_ascii_end())
        } else {
            Err(BadLine("it is too long".into()))
        };
        match line {
            Ok(Line::Lanpush(header)) if number == 1 => {
                report.made = Some(header.made);
                report.written = header.written;
            }
            Err(why) if number == 1 => return Err(ImportError::Unknown(why).into()),
            _ if number == 1 => {
                let why = "its first line does not say what it is".into();
                return Err(ImportError::Unknown(BadLine(why)).into());
            }
            Ok(Line::Lanpush(_)) => report.complain(number, BadLine("it begins again".into())),
            Ok(Line::End(counts)) => end = Some(counts),
            Ok(line) => {
                seen.add(&line);
                take(line, report)?;
            }
            Err(why) => report.complain(number, why),
        }
    }
    if report.made.is_none() {
        return Err(ImportError::Unknown(BadLine("it is empty".into())).into());
    }
    report.incomplete = end != Some(seen);
    Ok(())
}

impl Imported {
    fn complain(&mut self, line: usize, why: BadLine) {
        self.bad += 1;
        if self.complaints.len() < limits::IMPORT_COMPLAINTS {
            self.complaints.push((line, why));
        }
    }
}

/// Reads a line with its end into `text`, or nothing at the end of the file; false if it is above
/// [`limits::EXPORT_LINE`] bytes, the rest of it then is passed over.
fn read_line(file: &mut dyn BufRead, text: &mut Vec<u8>) -> io::Result<bool> {
    text.clear();
    let limit = limits::EXPORT_LINE as u64;
    (&mut *file).take(limit).read_until(b'\n', text)?;
    if text.ends_with(b"\n") || (text.len() as u64) < limit {
        return Ok(true);
    }
    let mut rest = Vec::new();
    while !rest.ends_with(b"\n") {
        rest.clear();
        if (&mut *file).take(limit).read_until(b'\n', &mut rest)? == 0 {
            break;
        }
    }
    Ok(false)
}
