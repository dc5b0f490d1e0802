//! Everything that a server with the embedded database keeps, in one folder: taken while it serves, put back elsewhere.
//!
//! ```text
//! DIR/cloakroom.db      a snapshot of the database
//! DIR/keys/…            the keys of tokens and links, as they are
//! DIR/photos/ab/abcd…   the contents that the snapshot's photos show
//! DIR/manifest.jsonl    path, size and SHA-256 of every file; written last
//! ```
//!
//! Contents never change and their names are never used twice, so they are copied first, however long that takes; then
//! the snapshot is taken (`take.rs`), and what was uploaded meanwhile is copied. What the snapshot shows and was deleted
//! before it could be copied calls for another snapshot, which does not show it any more.
//!
//! **Invariant:** a folder without a whole manifest is no backup; nothing else says that it is.
//! **Invariant:** nothing is overwritten, neither by a backup nor by a restore. A restore works in
//! folders named `restoring` until everything is verified (`restore.rs`); no server starts while
//! one exists in the data directory.

mod contents;
mod copy;
mod manifest;
mod part;
mod restore;
mod take;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::storage::is_from_file_system;

pub use contents::Contents;
pub use restore::{RESTORING, Restore, Restored};
pub use take::take;

/// The database's file, in a backup as in a data directory.
const DATABASE: &str = "cloakroom.db";
const KEYS: &str = "keys";
const PHOTOS: &str = "photos";

/// The description of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The time at which its snapshot was taken, in RFC 3339.
    pub taken_at: String,
    /// The version of Cloakroom that took it.
    pub version: String,
    /// The number of files.
    pub files: u64,
    /// The size of the files together, in bytes.
    pub bytes: u64,
    /// Its contents; `None` for a backup of a version that did not count them.
    pub contents: Option<Contents>,
}

/// Creates a folder for its owner only, or takes one that is empty. Returns whether it was created.
fn claim_folder(path: &Path, what: &str) -> anyhow::Result<bool> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
    }
    match first_entry(path).with_context(|| format!("cannot read {}", path.display()))? {
        None => Ok(false),
        Some(name) => {
            bail!("{} is not empty: {what} overwrites nothing, and it has {}", path.display(), name.display())
        }
    }
}

/// Returns an entry of a folder that makes it not empty. Entries of the file system do not, nor do
/// empty folders for keys and photos, which may be mount points.
fn first_entry(folder: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if is_from_file_system(&name) {
            continue;
        }
        let path = folder.join(&name);
        let is_empty_part = [KEYS, PHOTOS].iter().any(|part| *part == name)
            && path.is_dir()
            && fs::read_dir(&path)?.all(|entry| entry.is_ok_and(|entry| is_from_file_system(&entry.file_name())));
        if !is_empty_part {
            return Ok(Some(name.into()));
        }
    }
    Ok(None)
}

/// Makes the names in this folder and in all folders below it lasting.
fn sync_folders(top: &Path) -> io::Result<()> {
    let mut waiting = vec![top.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && !is_from_file_system(&entry.file_name()) {
                waiting.push(entry.path());
            }
        }
        fs::File::open(&folder)?.sync_all()?;
    }
    Ok(())
}
