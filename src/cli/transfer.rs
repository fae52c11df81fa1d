//! `lanpush export FILE` and `lanpush import FILE`: on the data directory itself, or, while a server has it
//! open, through that. A running server takes accounts only; for devices and what waits for them it has to be
//! stopped.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use lanpush::config::Config;
use lanpush::edge::data_dir::DataDirError;
use lanpush::edge::import::{self, ImportError, Imported};
use lanpush::edge::offline::{self, OfflineError};
use lanpush::limits;
use lanpush::push::export::{Counts, FORMAT, Header, Line};
use serde::{Deserialize, Serialize};

use super::admin::{Admin, NO_BODY};
use super::{Failure, plain};

/// Stands for standard output and input.
const STREAM: &str = "-";

/// Writes everything to a file that only its owner can read; it appears when it is complete.
pub(super) fn export(config: &Config, file: &Path) -> Result<(), Failure> {
    if file == Path::new(STREAM) {
        let mut out = BufWriter::new(io::stdout().lock());
        return write_export(config, &mut out).map(drop);
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    let part = Path::new(&name);
    let unwritable =
        |error: io::Error| Failure::Run(format!("cannot write {file:?}: {}", plain(&error)));
    let new = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(part)
        .map_err(unwritable)?;
    let mut out = BufWriter::new(new);
    let counts = write_export(config, &mut out).inspect_err(|_| {
        let _ = fs::remove_file(part);
    })?;
    let synced = out.get_ref().sync_all();
    synced
        .and_then(|()| fs::rename(part, file))
        .map_err(unwritable)?;
    super::say(&format!("exported {counts}\n"))
}

/// Out of the data directory, or, if a server has it, piece by piece from that.
fn write_export(config: &Config, out: &mut dyn Write) -> Result<Counts, Failure> {
    let data = Path::new(&config.server.data);
    match offline::export(data, config.storage.cache, out) {
        Err(OfflineError::Data(DataDirError::InUse(_))) => {}
        other => return other.map_err(|error| failure(&error)),
    }
    let unwritable =
        |error: io::Error| Failure::Run(format!("cannot write the export: {}", plain(&error)));
    let admin = Admin::of(config);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let header = Header {
        format: FORMAT,
        made: now.map_or(0, |now| now.as_secs()),
        written: None,
    };
    let mut counts = Counts::default();
    let mut from = Some(String::new());
    let mut text = Line::Lanpush(header).to_text();
    while let Some(key) = from {
        let path = format!("/api/v1/export?from={key}");
        let page: Page = admin.ask("GET", &path, NO_BODY)?.json()?;
        for line in page.lines.lines() {
            match Line::parse(line.as_bytes()) {
                Ok(line) => counts.add(&line),
                Err(why) => return Err(Failure::Run(format!("the server's export is bad: {why}"))),
            }
        }
        text += &page.lines;
        out.write_all(text.as_bytes()).map_err(unwritable)?;
        text.clear();
        from = page.next;
    }
    let end = Line::End(counts).to_text();
    out.write_all(end.as_bytes())
        .and_then(|()| out.flush())
        .map_err(unwritable)?;
    Ok(counts)
}

/// A piece of an export.
#[derive(Deserialize)]
struct Page {
    lines: String,
    next: Option<String>,
}

/// Puts the contents of a file into the data directory.
pub(super) fn import(config: &Config, file: &Path, replace: bool) -> Result<(), Failure> {
    let (imported, left) = if file == Path::new(STREAM) {
        read_import(config, &mut io::stdin().lock(), replace)
    } else {
        let open = File::open(file)
            .map_err(|error| Failure::Run(format!("cannot read {file:?}: {}", plain(&error))))?;
        read_import(config, &mut BufReader::new(open), replace)
    }?;
    report(&imported)?;
    super::say(&left.map(|left| left.to_string()).unwrap_or_default())
}

/// What a running server has not been given.
#[derive(Default)]
struct Left {
    records: Counts,
    /// Topics of single devices.
    topics: usize,
}

impl Left {
    fn add(&mut self, line: &Line) {
        match line {
            Line::Account(account) => {
                let all = account.subscriptions.iter();
                self.topics += all.filter(|one| one.device.is_some()).count();
            }
            line => self.records.add(line),
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            devices,
            notifications,
            deliveries,
            ..
        } = self.records;
        let topics = self.topics;
        if (devices, notifications, deliveries, topics) == (0, 0, 0, 0) {
            return Ok(());
        }
        writeln!(
            f,
            "the server is running: it takes accounts with aliases, tags and topics, and has not taken \
             devices: {devices}, notifications: {notifications}, deliveries: {deliveries}, topics of single \
             devices: {topics}\nto take everything, stop the server and import again with --replace"
        )
    }
}

/// Into the data directory, or, if a server has it, the accounts to that.
fn read_import(
    config: &Config,
    file: &mut dyn BufRead,
    replace: bool,
) -> Result<(Imported, Option<Left>), Failure> {
    let data = Path::new(&config.server.data);
    match offline::import(data, config.storage.cache, file, replace) {
        Err(OfflineError::Data(DataDirError::InUse(_))) => {}
        Ok(imported) => return Ok((imported, None)),
        Err(error) => return Err(failure(&error)),
    }
    let admin = Admin::of(config);
    let mut report = Imported::default();
    let mut left = Left::default();
    let mut lines = String::new();
    import::read(file, &mut report, &mut |line, report| {
        left.add(&line);
        if matches!(line, Line::Account(_)) {
            lines += &line.to_text();
        }
        if lines.len() >= limits::IMPORT_PAGE {
            hand_over(&admin, &mut lines, replace, report)?;
        }
        Ok::<_, Failure>(())
    })?;
    hand_over(&admin, &mut lines, replace, &mut report)?;
    Ok((report, Some(left)))
}

/// Gives accounts to the running server.
fn hand_over(
    admin: &Admin,
    lines: &mut String,
    replace: bool,
    report: &mut Imported,
) -> Result<(), Failure> {
    let path = if replace {
        "/api/v1/import?replace=yes"
    } else {
        "/api/v1/import"
    };
    let body = Accounts {
        lines: std::mem::take(lines),
    };
    let done: Done = admin.ask("POST", path, Some(&body))?.json()?;
    report.taken.accounts += done.taken;
    report.kept += done.kept;
    Ok(())
}

#[derive(Serialize)]
struct Accounts {
    lines: String,
}

#[derive(Deserialize)]
struct Done {
    taken: u64,
    kept: u64,
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        Self::Run(error.to_string())
    }
}

/// Success only if all of the file could be taken.
fn report(imported: &Imported) -> Result<(), Failure> {
    let mut stderr = io::stderr().lock();
    for (line, why) in &imported.complaints {
        let _ = writeln!(stderr, "line {line}: {why}");
    }
    if imported.bad > 0 || imported.incomplete {
        return Err(Failure::Run(imported.to_string()));
    }
    super::say(&format!("{imported}\n"))
}

fn failure(error: &OfflineError) -> Failure {
    Failure::Run(error.to_string())
}
