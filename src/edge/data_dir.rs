//! The data directory: made or recognised by its marker, private, and locked against a second lanpush.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

/// Format of the directory this program makes, and the only one it opens.
pub const FORMAT: u32 = 1;

/// File that makes a directory ours; it holds [`MARK`] and the format, and carries the lock.
const MARKER: &str = "lanpush.data";
const MARK: &str = "lanpush data, format ";
/// What a fresh file system holds at its root.
const LOST_AND_FOUND: &str = "lost+found";

/// A data directory of ours. While it lives no other lanpush can open the same one; the kernel ends the
/// lock with the process, however that ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    directory: File,
    /// Held open for its lock.
    marker: File,
}

/// Why a directory cannot be used. Its `Display` is a sentence for whoever started the server.
#[derive(Debug)]
pub enum DataDirError {
    /// The path is a file or the like.
    NotADirectory(PathBuf),
    /// It holds something, but not lanpush's data.
    NotOurs(PathBuf),
    /// A later lanpush made it.
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// Its marker does not say which format it has.
    Damaged(PathBuf),
    /// Another process has it open.
    InUse(PathBuf),
    /// It cannot be made, read or written.
    Io {
        /// The directory.
        path: PathBuf,
        /// What failed: "created", "read", "written".
        doing: &'static str,
        /// Why.
        error: io::Error,
    },
}

impl DataDir {
    /// Opens the directory, or makes it if it is missing; its parent must exist. Files the process creates
    /// from then on are readable by its own user only, because accounts hold clear passwords.
    ///
    /// # Errors
    /// [`DataDirError`]; nothing has been changed in a directory that is not ours.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let fail = |doing| {
            move |error| DataDirError::Io {
                path: path.to_owned(),
                doing,
                error,
            }
        };
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        make(path).map_err(fail("created"))?;
        let directory = File::open(path).map_err(fail("read"))?;
        let metadata = directory.metadata().map_err(fail("read"))?;
        if !metadata.is_dir() {
            return Err(DataDirError::NotADirectory(path.to_owned()));
        }
        let ours = path.join(MARKER).exists() || is_empty(path).map_err(fail("read"))?;
        if !ours {
            return Err(DataDirError::NotOurs(path.to_owned()));
        }
        let mut marker = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(MARKER))
            .map_err(fail("written"))?;
        match marker.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(fail("locked")(error)),
        }
        check_format(path, &mut marker, fail("written"))?;
        sync_directory(path);
        if metadata.permissions().mode() & 0o077 != 0
            && let Err(error) = fs::set_permissions(path, Permissions::from_mode(0o700))
        {
            log::warn!("{path:?} is open to other users and cannot be closed to them: {error}");
        }
        Ok(Self {
            path: path.to_owned(),
            directory,
            marker,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where sled's files are, in a directory of their own.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("db")
    }

    /// The directory itself, to ask its file system for free space.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn handle(&self) -> io::Result<File> {
        self.directory.try_clone()
    }
}

impl Drop for DataDir {
    /// To close the file is not enough: a child that another thread is starting has a copy of it until it
    /// runs its program, and the lock would live as long.
    fn drop(&mut self) {
        if let Err(error) = self.marker.unlock() {
            log::debug!("{:?} cannot be unlocked: {error}", self.path);
        }
    }
}

/// Creates the directory if it is missing, so that a power cut does not take it away again.
fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    sync_directory(parent.unwrap_or(Path::new(".")));
    Ok(())
}

/// Makes the names in a directory durable. Some file systems refuse that, and nothing better can be done.
pub(super) fn sync_directory(path: &Path) {
    if let Err(error) = File::open(path).and_then(|directory| directory.sync_all()) {
        log::debug!("{path:?} cannot be synced: {error}");
    }
}

fn is_empty(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        if entry?.file_name() != LOST_AND_FOUND {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads the marker, or writes it if it is empty or only begun: a start was cut short, or the disk was full, before
/// anything else was made.
fn check_format(
    path: &Path,
    marker: &mut File,
    fail: impl Fn(io::Error) -> DataDirError,
) -> Result<(), DataDirError> {
    let mut text = String::new();
    if marker.take(64).read_to_string(&mut text).is_err() {
        return Err(DataDirError::Damaged(path.to_owned()));
    }
    let whole = format!("{MARK}{FORMAT}\n");
    if text.len() < whole.len() && whole.starts_with(&text) {
        marker.rewind().map_err(&fail)?;
        marker.write_all(whole.as_bytes()).map_err(&fail)?;
        return marker.sync_all().map_err(&fail);
    }
    let format = text.strip_prefix(MARK).map(|format| format.trim().parse());
    match format {
        Some(Ok(FORMAT)) => Ok(()),
        Some(Ok(format)) if format > FORMAT => Err(DataDirError::Newer {
            path: path.to_owned(),
            format,
        }),
        _ => Err(DataDirError::Damaged(path.to_owned())),
    }
}

impl fmt::Display for DataDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADirectory(path) => write!(f, "{path:?} is not a directory"),
            Self::NotOurs(path) => write!(
                f,
                "{path:?} is not empty and holds no {MARKER}, so it is not a data directory of lanpush; \
                 name another one"
            ),
            Self::Newer { path, format } => write!(
                f,
                "{path:?} was made by a later lanpush (format {format}, this one knows {FORMAT}); \
                 use that one"
            ),
            Self::Damaged(path) => write!(
                f,
                "{MARKER} in {path:?} is damaged; if the directory is lanpush's, write \
                 \"{MARK}{FORMAT}\" into it"
            ),
            Self::InUse(path) => write!(f, "{path:?} is in use by another lanpush"),
            Self::Io { path, doing, error } => write!(f, "{path:?} cannot be {doing}: {error}"),
        }
    }
}

impl std::error::Error for DataDirError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::scratch::Scratch;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn refusal(path: &Path) -> String {
        DataDir::open(path).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_directory_is_made_and_opened_again() {
        let scratch = Scratch::new();
        let path = scratch.path().join("data");
        for _ in 0..2 {
            let data = DataDir::open(&path).unwrap();
            assert_eq!(data.path(), path);
            assert_eq!(mode(&path), 0o700);
            assert_eq!(mode(&path.join(MARKER)), 0o600);
        }
        let marker = fs::read_to_string(path.join(MARKER)).unwrap();
        assert_eq!(marker, "lanpush data, format 1\n");
    }

    #[test]
    fn an_open_directory_is_closed_to_others() {
        let scratch = Scratch::new();
        fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(scratch.path().join(LOST_AND_FOUND)).unwrap();
        let _data = DataDir::open(scratch.path()).unwrap();
        assert_eq!(mode(scratch.path()), 0o700);
    }

    #[test]
    fn a_second_lanpush_is_refused_until_the_first_is_gone() {
        let scratch = Scratch::new();
        let first = DataDir::open(scratch.path()).unwrap();
        assert!(refusal(scratch.path()).ends_with("is in use by another lanpush"));
        drop(first);
        DataDir::open(scratch.path()).unwrap();
    }

    #[test]
    fn a_copy_of_the_lock_file_keeps_no_lock() {
        let scratch = Scratch::new();
        let first = DataDir::open(scratch.path()).unwrap();
        let copy = first.marker.try_clone().unwrap();
        drop(first);
        DataDir::open(scratch.path()).unwrap();
        drop(copy);
    }

    #[test]
    fn a_start_cut_short_is_taken_up() {
        let scratch = Scratch::new();
        File::create(scratch.path().join(MARKER)).unwrap();
        DataDir::open(scratch.path()).unwrap();
        assert!(!fs::read(scratch.path().join(MARKER)).unwrap().is_empty());
    }

    #[test]
    fn others_directories_are_refused_and_left_alone() {
        let scratch = Scratch::new();
        fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
        fs::write(scratch.path().join("letter"), "dear").unwrap();
        assert!(refusal(scratch.path()).contains("is not empty and holds no lanpush.data"));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
        assert_eq!(mode(scratch.path()), 0o755);
        assert!(refusal(&scratch.path().join("letter")).ends_with("is not a directory"));
    }

    #[test]
    fn a_marker_that_was_only_begun_is_finished() {
        let whole = format!("{MARK}{FORMAT}\n");
        for length in 0..whole.len() {
            let scratch = Scratch::new();
            let marker = scratch.path().join(MARKER);
            fs::write(&marker, &whole[..length]).unwrap();
            drop(DataDir::open(scratch.path()).unwrap());
            assert_eq!(fs::read_to_string(marker).unwrap(), whole, "{length}");
        }
    }

    #[test]
    fn markers_that_are_not_this_format() {
        let cases: [(&[u8], &str); 6] = [
            (
                b"lanpush data, format 2\n",
                "made by a later lanpush (format 2",
            ),
            (b"lanpush data, format 0\n", "is damaged"),
            (b"lanpush data, format one\n", "is damaged"),
            (b"something else\n", "is damaged"),
            (&[0xff; 9], "is damaged"),
            (&[b'x'; 4096], "is damaged"),
        ];
        for (marker, sentence) in cases {
            let scratch = Scratch::new();
            fs::write(scratch.path().join(MARKER), marker).unwrap();
            let refusal = refusal(scratch.path());
            assert!(refusal.contains(sentence), "{refusal}");
        }
    }

    #[test]
    fn what_cannot_be_made_says_so() {
        let scratch = Scratch::new();
        let orphan = scratch.path().join("missing").join("data");
        for path in [orphan.as_path(), Path::new("/proc/lanpush")] {
            let refusal = refusal(path);
            assert!(refusal.contains("cannot be created: "), "{refusal}");
        }
        fs::create_dir(scratch.path().join(MARKER)).unwrap();
        assert!(refusal(scratch.path()).contains("cannot be written: "));
    }
}
