//! What the fuzz targets share.

pub mod desk;
pub mod phone;
pub mod rows;
#[allow(dead_code)]
mod runner;

use std::{env, fs, process};

/// Where a target writes what it starts from instead of running.
const SEEDS: &str = "FUZZ_SEEDS";

/// Writes what `make` makes to the directory that `FUZZ_SEEDS` names, and ends; without it, does nothing. They are made
/// rather than kept, so that they are those of today's parsers.
///
/// # Panics
/// If they cannot be written.
pub fn seeds<I>(make: impl FnOnce() -> I)
where
    I: IntoIterator<Item: AsRef<[u8]>>,
{
    let Ok(directory) = env::var(SEEDS) else {
        return;
    };
    fs::create_dir_all(&directory).expect("the directory of seeds");
    for (number, seed) in make().into_iter().enumerate() {
        fs::write(format!("{directory}/seed-{number:03}"), seed).expect("a seed");
    }
    process::exit(0);
}

/// The conversations' scripts, as text.
///
/// # Panics
/// If they are not where they should be.
#[must_use]
pub fn scripts() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../conversations");
    let mut paths = Vec::new();
    for topic in fs::read_dir(folder).expect("the conversations").flatten() {
        let files = fs::read_dir(topic.path()).into_iter().flatten().flatten();
        paths.extend(files.map(|file| file.path()));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let read = |path| fs::read_to_string(path).expect("a script");
    paths.into_iter().map(read).collect()
}
