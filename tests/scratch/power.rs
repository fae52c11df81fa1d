//! A power cut: what a disk holds at one moment.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

/// Copies a disk as it is at one moment. The file system goes on writing to it by itself even while nobody uses
/// it: a copy that takes a while may have the inodes of before a commit and the journal of after it, which no
/// power cut leaves. So it is read again behind the copy: what is then the same everywhere was so at the moment in
/// between.
pub(crate) fn copy_at_once(disk: &Path, copy: &Path) {
    let is_same = || {
        let [one, other] = [disk, copy].map(|path| File::open(path).unwrap());
        let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
        let mut blocks = [[0; 65_536]; 2];
        loop {
            let length = one.read(&mut blocks[0]).unwrap();
            if length == 0 {
                return true;
            }
            other.read_exact(&mut blocks[1][..length]).unwrap();
            if blocks[0][..length] != blocks[1][..length] {
                return false;
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
