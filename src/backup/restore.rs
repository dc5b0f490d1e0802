//! A backup is put back: verified as a whole, then moved to its place.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::backup::copy::{Hashed, copy};
use crate::backup::manifest::{Entry, Manifest};
use crate::backup::{DATABASE, KEYS, PHOTOS, Summary, claim_folder, sync_folders};
use crate::config::{self, DatabaseUrl};
use crate::store::{Database, FileLock, migrations};

/// Where a restore works, in the data directory: while it is there, no server starts.
pub const RESTORING: &str = "restoring";

/// Puts the backup in the folder `backup` into `data_dir`, which must be empty or not there.
///
/// # Errors
/// A folder that is no whole backup, a file that is not what the manifest says, a data directory that is in use: nothing
/// is in `data_dir` then.
pub async fn restore(backup: &Path, data_dir: &Path, settings: &config::Database) -> anyhow::Result<Summary> {
    let manifest = Manifest::open(backup)?;
    let (made, lock) = claim(data_dir)?;
    let work = data_dir.join(RESTORING);
    let outcome = fill(backup, &work, manifest, settings).await.and_then(|summary| {
        move_up(&work, data_dir)?;
        Ok(summary)
    });
    if outcome.is_err() {
        // Nothing has been moved but by a disk that fails: then it is there to be looked at, and no server starts.
        let moved = [DATABASE, KEYS, PHOTOS].iter().any(|name| data_dir.join(name).exists());
        if !moved {
            drop(fs::remove_dir_all(&work));
            drop(lock.remove());
            if made {
                drop(fs::remove_dir(data_dir));
            }
        }
    }
    outcome
}

/// Takes the data directory, before a server can. Returns whether it was made, and the lock of the
/// database in it.
fn claim(data_dir: &Path) -> anyhow::Result<(bool, FileLock)> {
    ensure!(
        !data_dir.join(RESTORING).exists(),
        "an earlier restore into {} did not end: empty it and begin again",
        data_dir.display()
    );
    let database = data_dir.join(DATABASE);
    FileLock::assert_free(&database)?;
    let made = claim_folder(data_dir, "a restore")?;
    let work = data_dir.join(RESTORING);
    DirBuilder::new().mode(0o700).create(&work).with_context(|| format!("cannot create {}", work.display()))?;
    match FileLock::acquire_at(&database) {
        Ok(lock) => Ok((made, lock)),
        Err(error) => {
            fs::remove_dir(&work)?;
            Err(error)
        }
    }
}

/// Copies and verifies everything, and has the database opened and migrated as a server will.
async fn fill(backup: &Path, work: &Path, manifest: Manifest, settings: &config::Database) -> anyhow::Result<Summary> {
    let (from, to) = (backup.to_owned(), work.to_owned());
    let copying = tokio::task::spawn_blocking(move || {
        for entry in manifest.entries()? {
            copy_entry(&from, &to, &entry?)?;
        }
        Ok::<_, anyhow::Error>(manifest.summary)
    });
    let summary = copying.await??;
    let settings = config::Database { url: DatabaseUrl::Embedded, ..settings.clone() };
    let database = Database::open(&settings, work).await?;
    let migrated = migrations::up(&database).await;
    let closed = database.close_to_file(&work.join(DATABASE)).await;
    migrated?;
    closed?;
    File::open(work.join(DATABASE))?.sync_all()?;
    sync_folders(work)?;
    Ok(summary)
}

fn copy_entry(backup: &Path, work: &Path, entry: &Entry) -> anyhow::Result<()> {
    let from = backup.join(&entry.path);
    let found = copy(&from, &work.join(&entry.path)).with_context(|| format!("cannot restore {}", from.display()))?;
    let expected = Hashed { size: entry.size, sha256: entry.sha256.clone() };
    ensure!(found == expected, "{} is not what was backed up: its size or SHA-256 is another", from.display());
    Ok(())
}

/// The database last: without it there is nothing to serve.
fn move_up(work: &Path, data_dir: &Path) -> anyhow::Result<()> {
    for name in [PHOTOS, KEYS, DATABASE] {
        let (from, to) = (work.join(name), data_dir.join(name));
        if from.exists() {
            ensure!(!to.exists(), "{} came meanwhile: a restore overwrites nothing", to.display());
            fs::rename(&from, &to).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    File::open(data_dir)?.sync_all()?;
    fs::remove_dir(work).with_context(|| format!("cannot remove {}", work.display()))?;
    File::open(data_dir)?.sync_all()?;
    if let Some(parent) = data_dir.canonicalize()?.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}
