//! Objects as files in a folder.
//!
//! **Invariant:** a file is complete or absent under its name; a crash leaves at most a file whose
//! name ends in `#` and a number.
//! **Invariant:** the folder itself is created by [`Folder::create`] and nowhere else.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::error::Error;
use crate::storage::identity::MAX_MARKER_BYTES;
use crate::storage::window::Windows;
use crate::storage::{Content, Listed, MARKER, QUARANTINE, is_from_file_system};

/// The name, before its `#`, and the length of a file that is written to see whether there is room.
const PROBE: &str = "probe";
const PROBE_BYTES: usize = 4096;

/// A folder that holds objects as files.
pub(super) struct Folder {
    root: PathBuf,
    /// The subfolders whose names are known to be on disk.
    lasting: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, lasting: Mutex::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Creates the folder, for its owner only, if it does not exist. Its parent must exist.
    pub(super) fn create(&self) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.root.is_dir() => Ok(()),
            Err(error) => Err(error),
            // The folder's own name must outlast a crash as well.
            Ok(()) => self.root.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all()),
        }
    }

    /// Returns the content of the marker, or `None` if the folder has none.
    pub(super) fn read_marker(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.root.join(MARKER)) {
            Err(error) if is_absent(&error) => return Ok(None),
            file => file?,
        };
        let mut content = Vec::new();
        file.take(MAX_MARKER_BYTES).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Writes a marker where there is none. One that exists stays.
    pub(super) fn create_marker(&self, content: &[u8]) -> io::Result<()> {
        let target = self.root.join(MARKER);
        let staged = self.stage(&target, content)?;
        // A link, unlike a rename, does not replace what exists. Some file systems have no links.
        let linked = match fs::hard_link(&staged, &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(_) if !target.try_exists()? => return self.publish(&staged, &target),
            linked => linked,
        };
        fs::remove_file(&staged)?;
        linked?;
        File::open(&self.root)?.sync_all()
    }

    /// Writes the object `key`, durably, in place of one that exists.
    pub(super) fn write(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(key);
        self.create_parent(&target)?;
        let staged = self.stage(&target, bytes)?;
        self.publish(&staged, &target)
    }

    /// Writes a file, forces it to the disk and removes it.
    pub(super) fn probe(&self) -> io::Result<()> {
        let staged = self.stage(&self.root.join(PROBE), &[0; PROBE_BYTES])?;
        fs::remove_file(staged)
    }

    /// Removes the object `key`. Returns whether it existed. It does not come back after a crash.
    pub(super) fn remove(&self, key: &str) -> io::Result<bool> {
        let target = self.root.join(key);
        let existed = match fs::remove_file(&target) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        match target.parent().map(File::open) {
            Some(Ok(parent)) => parent.sync_all()?,
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(existed)
    }

    /// Gives the object `key` another key as well, durably. Returns whether it exists. An object
    /// that has the other key stays.
    pub(super) fn copy(&self, key: &str, other: &str) -> io::Result<bool> {
        let (source, target) = (self.root.join(key), self.root.join(other));
        let Some((mut file, _)) = self.open(key)? else { return Ok(false) };
        self.create_parent(&target)?;
        match fs::hard_link(&source, &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(()) => {}
            // Some file systems have no links.
            Err(_) => {
                let staged = self.stage_from(&target, |copy| io::copy(&mut file, copy).map(drop))?;
                return self.publish(&staged, &target).map(|()| true);
            }
        }
        target.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())?;
        Ok(true)
    }

    /// Returns the size of an object and `range` of its content, or all of it, in these windows.
    pub(super) async fn read(
        self: &Arc<Self>,
        key: String,
        range: Option<Range<u64>>,
        windows: &Windows,
    ) -> Result<Option<(u64, Content)>, Error> {
        let Some((file, size)) = self.run(move |folder| folder.open(&key)).await? else { return Ok(None) };
        let range = range.unwrap_or(0..size);
        if range.start > size || (range.start == size && size > 0) {
            return Err(Error::internal(anyhow::anyhow!("a range begins at {}, behind the end {size}", range.start)));
        }
        Ok(Some((size, windows.of_file(file, range.start..range.end.min(size)))))
    }

    /// Returns the size of an object, in bytes.
    pub(super) async fn size(self: &Arc<Self>, key: String) -> Result<Option<u64>, Error> {
        Ok(self.run(move |folder| folder.open(&key)).await?.map(|(_, size)| size))
    }

    /// Runs `work` outside of the runtime's threads.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&folder)).await.map_err(Error::internal)?.map_err(Error::from_disk)
    }

    fn open(&self, key: &str) -> io::Result<Option<(File, u64)>> {
        match File::open(self.root.join(key)) {
            Ok(file) => {
                let size = file.metadata()?.len();
                Ok(Some((file, size)))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates the folders of a file below the root, which must exist, and has their names on disk.
    /// Existing folders are synced as well the first time: the server that created them may have
    /// been killed before the sync.
    fn create_parent(&self, target: &Path) -> io::Result<()> {
        let Some(parent) = target.parent() else { return Ok(()) };
        if self.lasting.lock().unwrap_or_else(PoisonError::into_inner).contains(parent) && parent.is_dir() {
            return Ok(());
        }
        let below_root = parent.ancestors().take_while(|folder| *folder != self.root);
        let mut missing: Vec<&Path> = below_root.collect();
        missing.reverse();
        for folder in missing {
            match DirBuilder::new().mode(0o700).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            if let Some(parent) = folder.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner).insert(parent.to_owned());
        Ok(())
    }

    /// Writes `bytes` beside `target`, and syncs them.
    fn stage(&self, target: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        self.stage_from(target, |file| file.write_all(bytes))
    }

    /// The same with what `write` writes.
    fn stage_from(&self, target: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<PathBuf> {
        let mut number = 1_u32;
        loop {
            let mut name = OsString::from(target);
            name.push(format!("#{number}"));
            let staged = PathBuf::from(name);
            match File::options().write(true).create_new(true).mode(0o600).open(&staged) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number = number.saturating_add(1),
                Err(error) => return Err(error),
                Ok(mut file) => {
                    let written = write(&mut file).and_then(|()| file.sync_all());
                    if written.is_err() {
                        drop(fs::remove_file(&staged));
                    }
                    return written.map(|()| staged);
                }
            }
        }
    }

    fn publish(&self, staged: &Path, target: &Path) -> io::Result<()> {
        let renamed = fs::rename(staged, target);
        if renamed.is_err() {
            drop(fs::remove_file(staged));
        }
        renamed?;
        target.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    }

    /// Counts the files that were begun and not finished before `moment`, and may remove them.
    pub(super) fn unfinished(&self, moment: DateTime<Utc>, remove: bool) -> io::Result<u64> {
        let (mut found, mut waiting) = (0, vec![self.root.clone()]);
        while let Some(folder) = waiting.pop() {
            for entry in self.entries(&folder)? {
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
    }

    /// Returns the objects in one folder, and the folders in it. One that does not exist is empty.
    pub(super) fn list(&self, folder: &Path) -> io::Result<(Vec<Listed>, Vec<PathBuf>)> {
        let (mut listed, mut folders) = (Vec::new(), Vec::new());
        let entries = match self.entries(folder) {
            Err(error) if is_absent(&error) => return Ok((listed, folders)),
            // Ext4's own folder of this name is root's.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && folder == self.root.join(QUARANTINE) => {
                return Ok((listed, folders));
            }
            entries => entries?,
        };
        for entry in entries {
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
                continue;
            }
            let metadata = match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() && !is_unfinished(&path) => metadata,
                // A file that was removed meanwhile, or a link to nowhere.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => continue,
            };
            let key = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
            listed.push(Listed { key, size: metadata.len(), modified_at: metadata.modified()?.into() });
        }
        Ok((listed, folders))
    }

    /// Returns the entries of a folder, without the marker and what the file system has put into
    /// the root.
    fn entries(&self, folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
        let entries: Vec<fs::DirEntry> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        let is_root = folder == self.root;
        let is_ours = |name: &OsString| !is_root || (name != MARKER && !is_from_file_system(name));
        Ok(entries.into_iter().filter(|entry| is_ours(&entry.file_name())).collect())
    }
}

/// Returns whether a file or one of its folders does not exist.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns whether a file was last written before `moment`. One that has been removed was not.
fn is_older(path: &Path, moment: DateTime<Utc>) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) => Ok(DateTime::<Utc>::from(found.modified()?) < moment),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
