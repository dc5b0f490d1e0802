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
//! **Invariant:** nothing is overwritten, neither by a backup nor by a restore. What a restore has begun stands in
//! `restoring` until all of it is verified (`restore.rs`), and no server starts beside that.

mod copy;
mod manifest;
mod restore;
mod take;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};

pub use restore::{RESTORING, restore};
pub use take::take;

/// The database's file, in a backup as in a data directory.
const DATABASE: &str = "cloakroom.db";
const KEYS: &str = "keys";
const PHOTOS: &str = "photos";

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When its snapshot was taken, in RFC 3339.
    pub taken_at: String,
    /// How many files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// Makes a folder for its owner only, or takes one that is empty. Returns whether it was made.
fn claim_folder(path: &Path, what: &str) -> anyhow::Result<bool> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
    }
    let mut entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    match entries.next() {
        None => Ok(false),
        Some(_) => bail!("{} is not empty: {what} overwrites nothing", path.display()),
    }
}

/// Makes the names in this folder and in all folders below it lasting.
fn sync_folders(top: &Path) -> io::Result<()> {
    let mut waiting = vec![top.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
        fs::File::open(&folder)?.sync_all()?;
    }
    Ok(())
}
