//! A folder into which a restore puts files: first into its subfolder `restoring`, and up from
//! there when everything is verified.
//!
//! The folder itself may be a mount point, so nothing is moved but within it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::backup::restore::RESTORING;
use crate::backup::{claim_folder, sync_folders};

/// A folder that is being restored.
pub(super) struct Part {
    folder: PathBuf,
    /// True if the restore created it.
    made: bool,
}

impl Part {
    /// Takes a folder that is empty, or creates it.
    pub(super) fn claim(folder: &Path) -> anyhow::Result<Self> {
        let work = folder.join(RESTORING);
        ensure!(!work.exists(), "an earlier restore into {} did not end: empty it and begin again", folder.display());
        let made = claim_folder(folder, "a restore")?;
        let part = Self { folder: folder.to_owned(), made };
        if let Err(error) = DirBuilder::new().mode(0o700).create(&work) {
            part.give_up();
            return Err(error).with_context(|| format!("cannot create {}", work.display()));
        }
        Ok(part)
    }

    /// Returns the folder in which files are prepared.
    pub(super) fn work(&self) -> PathBuf {
        self.folder.join(RESTORING)
    }

    /// Has what was prepared on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folders(&self.work())
    }

    /// Moves up everything that was prepared, but keeps the empty work folder.
    pub(super) fn move_up(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(self.work())? {
            let entry = entry?;
            let target = self.folder.join(entry.file_name());
            ensure!(!target.exists(), "{} came meanwhile: a restore overwrites nothing", target.display());
            fs::rename(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
        Ok(File::open(&self.folder)?.sync_all()?)
    }

    /// Removes the work folder, which is empty by now.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        let work = self.work();
        fs::remove_dir(&work).with_context(|| format!("cannot remove {}", work.display()))?;
        File::open(&self.folder)?.sync_all()?;
        if let Some(parent) = self.folder.canonicalize()?.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }

    /// Removes what was prepared, and the folder if the restore created it.
    pub(super) fn give_up(&self) {
        drop(fs::remove_dir_all(self.work()));
        if self.made {
            drop(fs::remove_dir(&self.folder));
        }
    }
}
