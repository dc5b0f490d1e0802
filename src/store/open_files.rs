//! The files of the embedded database: are those that are open still found under their names?
//!
//! A folder that is moved, deleted, unmounted or replaced by a backup takes the open files along. A
//! server that goes on would acknowledge writes that are gone after its restart, and a second server
//! could start under the same name. SQLite's `SQLITE_FCNTL_HAS_MOVED` exists for the same purpose.
//!
//! A comparison costs one `stat` for each of three files, about a microsecond each.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::{Dependency, Error};

/// The time between two comparisons of a server that does not write.
const COMPARE_EVERY: Duration = Duration::from_secs(1);
/// Seconds after which clients may try again: another server may have started by then.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The files that a server has open. Cheap to clone; empty for a database server and for commands.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenFiles(Arc<State>);

#[derive(Debug, Default)]
struct State {
    files: OnceLock<Vec<OpenFile>>,
    moved: watch::Sender<Option<FileMoved>>,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// A file of the database is no longer found under its name.
#[derive(Clone, Debug)]
pub struct FileMoved {
    path: PathBuf,
    is_replaced: bool,
}

impl OpenFiles {
    /// Records the files under these paths, which are open. Later calls change nothing.
    pub(super) fn record(&self, paths: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
        let files: io::Result<Vec<OpenFile>> = paths.into_iter().map(OpenFile::open_now).collect();
        // Recorded before: a server registers once.
        self.0.files.set(files?).ok();
        Ok(())
    }

    /// Refuses to write unless each file is found under its name. Once one was not, always.
    ///
    /// # Errors
    /// [`FileMoved`].
    pub(super) fn ensure_in_place(&self) -> Result<(), FileMoved> {
        let Some(files) = self.0.files.get() else { return Ok(()) };
        if let Some(moved) = self.0.moved.borrow().as_ref() {
            return Err(moved.clone());
        }
        let Some(moved) = files.iter().find_map(OpenFile::moved) else { return Ok(()) };
        self.0.moved.send_replace(Some(moved.clone()));
        Err(moved)
    }

    /// Waits until a file is not found under its name.
    pub(super) async fn moved(&self) -> FileMoved {
        let mut moved = self.0.moved.subscribe();
        loop {
            if let Err(moved) = self.ensure_in_place() {
                return moved;
            }
            // A write may find it sooner.
            drop(timeout(COMPARE_EVERY, moved.changed()).await);
        }
    }
}

impl OpenFile {
    fn open_now(path: PathBuf) -> io::Result<Self> {
        let found = path.metadata()?;
        Ok(Self { path, device: found.dev(), inode: found.ino() })
    }

    fn moved(&self) -> Option<FileMoved> {
        let is_replaced = match self.path.metadata() {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => return None,
            Ok(_) => true,
            Err(error) if is_gone(&error) => false,
            // A disk that does not answer says nothing about names; the write itself will fail.
            Err(_) => return None,
        };
        Some(FileMoved { path: self.path.clone(), is_replaced })
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, StaleNetworkFileHandle};
    matches!(error.kind(), NotADirectory | NotFound | StaleNetworkFileHandle)
}

/// The file beside a database with this suffix.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

impl fmt::Display for FileMoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, is_replaced } = self;
        let state = if *is_replaced { "is another file now than the one" } else { "is gone, which" };
        let path = path.display();
        write!(
            f,
            "{path} {state} this server has open: its folder was moved, deleted, unmounted or restored under the running \
             server, which accepts no more writes. The open files are where the folder was moved to. Stop a server \
             before you move its data"
        )
    }
}

impl std::error::Error for FileMoved {}

/// The refusal of a write: nothing was done.
impl From<FileMoved> for Error {
    fn from(moved: FileMoved) -> Self {
        Self::dependency_unavailable(Dependency::Database, RETRY_AFTER_SECONDS, moved)
    }
}
