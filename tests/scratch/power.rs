//! A power cut: what a disk holds at one moment.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Bytes compared at a time.
const BLOCK: usize = 65_536;

/// Copies a disk as it is at one moment. The file system goes on writing to it by itself even while nobody uses
/// it: a copy that takes a while may have the inodes of before a commit and the journal of after it, which no
/// power cut leaves. So it is read again behind the copy: what is then the same everywhere was so at the moment in
/// between.
pub(crate) fn copy_at_once(disk: &Path, copy: &Path) {
    let is_same = || {
        let [mut one, mut other] = [disk, copy].map(|path| File::open(path).unwrap());
        let next = |file: &mut File| {
            let mut block = Vec::with_capacity(BLOCK);
            let limit = u64::try_from(BLOCK).unwrap();
            file.take(limit).read_to_end(&mut block).unwrap();
            block
        };
        loop {
            let block = next(&mut one);
            if block != next(&mut other) {
                return false;
            }
            if block.is_empty() {
                return true;
            }
        }
    };
    for _ in 0..50 {
        fs::copy(disk, copy).unwrap();
        if is_same() {
            return;
        }
    }
    panic!("the file system never comes to rest");
}
