//! `lanpush export FILE` and `lanpush import FILE`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use lanpush::config::Config;
use lanpush::edge::import::Imported;
use lanpush::edge::offline::{self, OfflineError};

use super::{Failure, plain};

/// Stands for standard output and input.
const STREAM: &str = "-";

/// Writes everything to a file that only its owner can read; it appears when it is complete.
pub(super) fn export(config: &Config, file: &Path) -> Result<(), Failure> {
    let data = Path::new(&config.server.data);
    let cache = config.storage.cache;
    if file == Path::new(STREAM) {
        return match offline::export(data, cache, &mut BufWriter::new(io::stdout().lock())) {
            Err(error) => Err(failure(&error)),
            Ok(_) => Ok(()),
        };
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
    let counts = offline::export(data, cache, &mut out).map_err(|error| {
        let _ = fs::remove_file(part);
        failure(&error)
    })?;
    let synced = out.get_ref().sync_all();
    synced
        .and_then(|()| fs::rename(part, file))
        .map_err(unwritable)?;
    super::say(&format!("exported {counts}\n"))
}

/// Puts the contents of a file into the data directory.
pub(super) fn import(config: &Config, file: &Path, replace: bool) -> Result<(), Failure> {
    let data = Path::new(&config.server.data);
    let cache = config.storage.cache;
    let imported = if file == Path::new(STREAM) {
        offline::import(data, cache, &mut io::stdin().lock(), replace)
    } else {
        let open = File::open(file)
            .map_err(|error| Failure::Run(format!("cannot read {file:?}: {}", plain(&error))))?;
        offline::import(data, cache, &mut BufReader::new(open), replace)
    };
    report(&imported.map_err(|error| failure(&error))?)
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
