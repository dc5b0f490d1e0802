//! What files need beyond reading and writing: their folders and their removal made lasting, and what crashes left
//! half written.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::error::Error;

/// The folders whose names are known to be on disk.
pub(super) type Lasting = Arc<Mutex<HashSet<PathBuf>>>;

/// Makes the folders of a file below `root`, and has their names on disk. Those that are there already are no
/// exception the first time: whoever made them may have been killed before their sync, or be about to do it.
pub(super) async fn make_folders(root: Arc<PathBuf>, file: &Path, lasting: Lasting) -> Result<(), Error> {
    let folder = match file.parent() {
        Some(parent) => root.join(parent),
        None => return Ok(()),
    };
    if lasting.lock().unwrap_or_else(PoisonError::into_inner).contains(&folder) {
        return Ok(());
    }
    off_the_runtime(move || {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let made = folder.ancestors().take_while(|made| *made != root.as_path());
        for parent in made.filter_map(Path::parent) {
            File::open(parent)?.sync_all()?;
        }
        lasting.lock().unwrap_or_else(PoisonError::into_inner).insert(folder);
        Ok(())
    })
    .await
}

/// Without it, a file that was removed can be back after a power cut, when nothing names it any more.
pub(super) async fn sync_parent(path: PathBuf) -> Result<(), Error> {
    off_the_runtime(move || match path.parent().map(File::open) {
        Some(Ok(folder)) => folder.sync_all(),
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
    .await
}

/// Counts the files that were begun and not finished before `moment`, and may remove them.
pub(super) async fn unfinished(folder: Arc<PathBuf>, moment: DateTime<Utc>, remove: bool) -> Result<u64, Error> {
    off_the_runtime(move || {
        let (mut found, mut waiting) = (0, vec![folder.as_ref().clone()]);
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let path = entry.path();
                if entry.file_type()?.is_dir() {
                    waiting.push(path);
                } else if is_unfinished(&path) && is_older(&path, moment)? {
                    match if remove { fs::remove_file(&path) } else { Ok(()) } {
                        Ok(()) => found += 1,
                        // Another server was here first.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(found)
    })
    .await
}

pub(super) async fn is_there(folder: Arc<PathBuf>) -> Result<(), Error> {
    off_the_runtime(move || fs::read_dir(folder.as_ref()).map(drop)).await
}

/// `object_store` writes to the file's name, `#` and a number, and renames that.
fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// A file that went meanwhile is none.
fn is_older(path: &Path, moment: DateTime<Utc>) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) => Ok(DateTime::<Utc>::from(found.modified()?) < moment),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?.map_err(Error::internal)
}
