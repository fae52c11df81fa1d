//! A directory of a test's own, and a way into the database behind the store's back.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes away with its owner.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lanpush-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Lets `edit` change the rows of a closed database.
pub(crate) fn edit_database(path: &Path, edit: &dyn Fn(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
    let config = sled::Config::new().path(path).segment_size(64 * 1024);
    let database = config.flush_every_ms(None).open().unwrap();
    let row =
        |row: sled::Result<(sled::IVec, sled::IVec)>| row.map(|(k, v)| (k.to_vec(), v.to_vec()));
    let before: BTreeMap<_, _> = database.iter().map(|pair| row(pair).unwrap()).collect();
    let mut after = before.clone();
    edit(&mut after);
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        database.remove(key).unwrap();
    }
    for (key, value) in after {
        database.insert(key, value).unwrap();
    }
    database.flush().unwrap();
}
