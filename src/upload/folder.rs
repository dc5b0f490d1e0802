//! The folder in which files are kept while they arrive and are worked on.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tempfile::{Builder, NamedTempFile};

use super::ReceivedFile;
use crate::data_dir::Subfolder;

/// What is written at once: each write is handed to another thread and back.
const BLOCK_BYTES: usize = 256 * 1024;
/// The length of a file that is written to see whether there is room.
const PROBE_BYTES: usize = 4096;
/// No request lasts so long. Servers may share the folder, so the age is all that tells a file that a killed process
/// left behind from one that another is still receiving.
const LEFTOVER_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A folder for files that are arriving. It is created with the first one, for its owner only, as
/// are they.
#[derive(Clone, Debug)]
pub struct Folder(Subfolder);

impl Folder {
    /// The folder `uploads` of this data directory.
    #[must_use]
    pub fn within(data_dir: &Path) -> Self {
        Self(Subfolder::within(data_dir, "uploads"))
    }

    /// The beginning of a file.
    #[must_use]
    pub fn receive(&self) -> Arriving {
        Arriving { folder: self.0.clone(), file: None, waiting: Vec::new(), bytes: 0 }
    }

    /// Writes a file, forces it to the disk and removes it: is there room, and can it be written?
    ///
    /// # Errors
    /// The reason why not.
    pub async fn probe(&self) -> io::Result<()> {
        let folder = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut file = create(&folder)?;
            file.write_all(&[0; PROBE_BYTES])?;
            file.as_file().sync_all()
        });
        written.await?
    }

    /// Removes what a killed process has left behind, at least a day before `now`, and returns how many files it was.
    ///
    /// # Errors
    /// A folder that cannot be read, or a file that cannot be removed.
    pub async fn sweep(&self, now: DateTime<Utc>) -> io::Result<usize> {
        let folder = self.0.clone();
        tokio::task::spawn_blocking(move || sweep(folder.path(), SystemTime::from(now))).await?
    }
}

fn sweep(folder: &Path, now: SystemTime) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Its request is over.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let age = now.duration_since(metadata.modified()?).unwrap_or_default();
        if metadata.is_file() && age >= LEFTOVER_AFTER {
            match fs::remove_file(entry.path()) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(removed)
}

/// A file that is being received. What is there of it is removed when this is dropped.
#[derive(Debug)]
pub struct Arriving {
    folder: Subfolder,
    /// None before the first block, and while one is being written.
    file: Option<NamedTempFile>,
    waiting: Vec<u8>,
    bytes: u64,
}

impl Arriving {
    /// How long it is by now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends to it.
    ///
    /// # Errors
    /// A disk that is full or fails; the file is lost.
    pub async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(chunk);
        self.bytes += chunk.len() as u64;
        if self.waiting.len() < BLOCK_BYTES {
            return Ok(());
        }
        self.flush().await
    }

    /// The whole file. It is not forced to the disk: after a crash nobody asks for it.
    ///
    /// # Errors
    /// As [`Arriving::write`].
    pub async fn finish(mut self) -> io::Result<ReceivedFile> {
        // An empty file is a file, too.
        self.flush().await?;
        let file = self.file.ok_or_else(|| io::Error::other("the file was lost"))?;
        Ok(ReceivedFile::new(file.into_temp_path(), self.bytes))
    }

    async fn flush(&mut self) -> io::Result<()> {
        let (file, mut waiting) = (self.file.take(), std::mem::take(&mut self.waiting));
        let folder = self.folder.clone();
        // Given up meanwhile, the file is removed over there.
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.map_or_else(|| create(&folder), Ok)?;
            file.write_all(&waiting)?;
            waiting.clear();
            Ok::<_, io::Error>((file, waiting))
        });
        let (file, waiting) = written.await??;
        (self.file, self.waiting) = (Some(file), waiting);
        Ok(())
    }
}

/// An empty file for its owner only (as the crate makes all of its files), under a name that nobody chose.
fn create(folder: &Subfolder) -> io::Result<NamedTempFile> {
    folder.ensure()?;
    Builder::new().prefix("").tempfile_in(folder.path())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn count(folder: &Folder) -> usize {
        fs::read_dir(folder.0.path()).map_or(0, Iterator::count)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_file_is_its_owners_alone_and_gone_when_it_is_dropped() {
        let data_dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::within(data_dir.path());
        let mut arriving = folder.receive();
        let chunk = vec![7; 100_000];
        for _ in 0..7 {
            arriving.write(&chunk).await.expect("it is written");
        }
        assert_eq!(count(&folder), 1);
        let file = arriving.finish().await.expect("it is whole");
        assert_eq!((file.bytes(), fs::read(file.path()).expect("it is there")), (700_000, vec![7; 700_000]));
        assert_eq!((mode(folder.0.path()), mode(file.path())), (0o700, 0o600));
        drop(file);
        assert_eq!(count(&folder), 0);

        let mut given_up = folder.receive();
        given_up.write(&vec![7; BLOCK_BYTES]).await.expect("it is written");
        assert_eq!(count(&folder), 1);
        drop(given_up);
        assert_eq!(count(&folder), 0);
        assert_eq!(folder.receive().finish().await.expect("an empty file").bytes(), 0);
    }

    #[tokio::test]
    async fn only_what_is_older_than_a_day_is_swept() {
        let data_dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::within(data_dir.path());
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().expect("a moment");
        assert_eq!(folder.sweep(now).await.expect("no folder yet"), 0);
        fs::create_dir(folder.0.path()).expect("a folder");
        for (name, hours) in [("old", 25), ("new", 23), ("later", 0)] {
            let file = fs::File::create(folder.0.path().join(name)).expect("a file");
            file.set_modified(SystemTime::from(now) - Duration::from_secs(hours * 3600)).expect("its time is set");
        }
        assert_eq!(folder.sweep(now).await.expect("it is swept"), 1);
        assert!(
            !folder.0.path().join("old").exists()
                && folder.0.path().join("new").exists()
                && folder.0.path().join("later").exists()
        );
    }
}
