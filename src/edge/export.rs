//! What the database holds, written as an export, record by record.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};

use sled::IVec;

use super::database::sled_error;
use super::wear;
use crate::limits;
use crate::push::export::{Counts, FORMAT, Header, Kept, Line};
use crate::push::head::Head;
use crate::push::notification::NotificationId;
use crate::push::record::{self, BadRecord, Loader};
use crate::push::store::{Row, StoreError};

/// How much of the notifications goes into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them with all that is known of their deliveries.
    Everything,
    /// Those that wait for a device or for their time, the newest first, up to so many bytes; only what waits
    /// of their deliveries.
    Waiting(usize),
}

/// Why there is no export.
#[derive(Debug)]
pub enum ExportError {
    /// The database cannot be read.
    Store(StoreError),
    /// The file cannot be written.
    Io(io::Error),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Io(error) => write!(f, "cannot write the export: {error}"),
        }
    }
}

impl std::error::Error for ExportError {}

impl From<sled::Error> for ExportError {
    fn from(error: sled::Error) -> Self {
        Self::Store(sled_error(error))
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes the whole export; `made` is in seconds since 1970. Damaged records are left out.
pub(super) fn write(
    rows: &sled::Db,
    scope: Scope,
    made: u64,
    out: &mut dyn Write,
) -> Result<Counts, ExportError> {
    let chosen = match scope {
        Scope::Everything => None,
        Scope::Waiting(bytes) => Some(choose(rows, bytes)?),
    };
    let mut export = Export {
        rows,
        chosen,
        counts: Counts::default(),
        out,
    };
    let header = Header {
        format: FORMAT,
        made,
        // What is restored from it goes on counting.
        written: match scope {
            Scope::Everything => None,
            Scope::Waiting(_) => wear::saved(rows, made),
        },
    };
    export.line(&Line::Lanpush(header))?;
    load(rows, &mut |row| export.row(row).map(drop))?;
    export.line(&Line::End(export.counts))?;
    Ok(export.counts)
}

struct Export<'a> {
    rows: &'a sled::Db,
    /// The notifications that go into it, if not all do.
    chosen: Option<BTreeSet<NotificationId>>,
    counts: Counts,
    out: &'a mut dyn Write,
}

impl Export<'_> {
    /// Writes a line and says how long it is.
    fn line(&mut self, line: &Line) -> Result<usize, ExportError> {
        self.counts.add(line);
        let text = line.to_text();
        self.out.write_all(text.as_bytes())?;
        Ok(text.len())
    }

    fn row(&mut self, row: Row) -> Result<usize, ExportError> {
        let has = |id| self.chosen.as_ref().is_none_or(|ids| ids.contains(&id));
        match row {
            Row::Account(account) => self.line(&Line::Account(account)),
            Row::Device(device) => self.line(&Line::Device(device)),
            Row::Notification(head) if has(head.id) => match body(self.rows, &head)? {
                Some(line) => self.line(&line),
                None => Ok(0),
            },
            Row::Delivery(delivery)
                if has(delivery.notification)
                    && (self.chosen.is_none() || delivery.state.is_waiting()) =>
            {
                self.line(&Line::Delivery(delivery))
            }
            Row::Document(document) => self.line(&Line::Document(document)),
            Row::Notification(_) | Row::Delivery(_) => Ok(0),
        }
    }
}

/// Shows every whole record but the bodies, in the order of their keys.
pub(super) fn load(
    rows: &sled::Db,
    visit: &mut dyn FnMut(Row) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut outcome = Ok(());
    let mut keep = |read: Result<Row, BadRecord>| {
        if let (Ok(row), Ok(())) = (read, &outcome) {
            outcome = visit(row);
        }
    };
    let mut loader = Loader::default();
    for row in all_but_bodies(rows, &[]) {
        let (key, value) = row?;
        loader.row(&key, &value, &mut keep);
    }
    loader.finish(&mut keep);
    outcome
}

/// The rows from a key on, in their order, but for those of bodies.
fn all_but_bodies(
    rows: &sled::Db,
    from: &[u8],
) -> impl Iterator<Item = sled::Result<(IVec, IVec)>> + use<> {
    let end = &record::END_OF_LOADED[..];
    let documents = &record::DOCUMENTS[..];
    let loaded = rows.range(from..from.max(end));
    loaded.chain(rows.range(from.max(documents)..))
}

/// A piece of an export without its first and last line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its lines.
    pub lines: String,
    /// Key of the row the next piece begins with; nothing is left if there is none.
    pub next: Option<Vec<u8>>,
}

/// The lines from the row `from` on: [`limits::EXPORT_PAGE`] bytes, and what one row has above that.
pub(super) fn page(rows: &sled::Db, from: &[u8]) -> Result<Page, ExportError> {
    let mut lines = Vec::new();
    let mut next = None;
    let mut export = Export {
        rows,
        chosen: None,
        counts: Counts::default(),
        out: &mut lines,
    };
    let mut found = Vec::new();
    let mut loader = Loader::default();
    let mut bytes = 0;
    for row in all_but_bodies(rows, from) {
        let (key, value) = row?;
        if bytes >= limits::EXPORT_PAGE && record::begins_record(&key) {
            next = Some(key.to_vec());
            break;
        }
        loader.row(&key, &value, &mut |read| found.extend(read.ok()));
        for row in found.drain(..) {
            bytes += export.row(row)?;
        }
    }
    loader.finish(&mut |read| found.extend(read.ok()));
    for row in found {
        export.row(row)?;
    }
    Ok(Page {
        lines: String::from_utf8(lines).unwrap_or_default(),
        next,
    })
}

fn body(rows: &sled::Db, head: &Head) -> Result<Option<Line>, ExportError> {
    let read = record::read_notification(head.id, |key| rows.get(key))?;
    let body = read.and_then(Result::ok);
    Ok(body.map(|body| Line::Notification(Kept::new(body, head))))
}

/// The newest notifications that wait for a device or for their time, as many as fit.
fn choose(rows: &sled::Db, bytes: usize) -> Result<BTreeSet<NotificationId>, ExportError> {
    let mut heads = BTreeMap::new();
    let mut waiting = BTreeSet::new();
    load(rows, &mut |row| {
        match row {
            // What has ended waits no more, whatever its deliveries say.
            Row::Notification(head) if head.over.is_none() => {
                if head.is_scheduled() {
                    waiting.insert(head.id);
                }
                heads.insert(head.id, head);
            }
            Row::Delivery(delivery) if delivery.state.is_waiting() => {
                waiting.insert(delivery.notification);
            }
            _ => {}
        }
        Ok(())
    })?;
    let mut left = bytes;
    let mut chosen = BTreeSet::new();
    for id in waiting.into_iter().rev() {
        let line = heads.get(&id).map(|head| body(rows, head)).transpose()?;
        let Some(line) = line.flatten() else {
            continue;
        };
        match left.checked_sub(line.to_text().len()) {
            Some(rest) => left = rest,
            None => break,
        }
        chosen.insert(id);
    }
    Ok(chosen)
}
