//! The folder with the files of an export. No file is overwritten, so an export that was interrupted is repeated with the
//! same folder: files that are there already stay.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use aws_lc_rs::digest::{self, SHA256};
use futures_util::TryStreamExt as _;

use crate::error::Error;
use crate::storage::Content;

/// Faults that are kept for the end of the export; all are counted.
const MAX_KEPT_FAULTS: usize = 1000;
const READ_BYTES: usize = 64 << 10;

/// The folder, and what was done in it.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    written: AtomicU64,
    already_there: AtomicU64,
    failed: AtomicU64,
    faults: Mutex<Vec<String>>,
}

/// Outcome for one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// It was written.
    Written,
    /// It was in the folder already.
    AlreadyThere,
    /// The storage does not have it.
    Missing,
    /// The storage has something else.
    Damaged,
    /// The folder has another file of this name.
    Occupied,
    /// The photo was deleted meanwhile, which is no failure.
    Deleted,
}

impl FileOutcome {
    /// The reason why the file is not in the folder, for a person.
    #[must_use]
    pub fn fault(self) -> Option<&'static str> {
        match self {
            Self::Written | Self::AlreadyThere => None,
            Self::Missing => Some("The original is missing in the storage."),
            Self::Damaged => Some("The original in the storage is damaged."),
            Self::Occupied => Some("Another file of this name exists, and was not overwritten."),
            Self::Deleted => Some("The photo was deleted meanwhile."),
        }
    }
}

impl Files {
    /// A folder for the files, which may exist. A new one is for its owner only.
    ///
    /// # Errors
    /// A path that cannot be created or is no folder.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            created => created.with_context(|| format!("cannot create the folder {}", folder.display()))?,
        }
        Ok(Self {
            folder: folder.to_owned(),
            written: AtomicU64::new(0),
            already_there: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            faults: Mutex::default(),
        })
    }

    /// Numbers of files that were written, were already there, and failed.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (count(&self.written), count(&self.already_there), count(&self.failed))
    }

    /// The first faults, a line each.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the outcome for this file.
    pub fn count(&self, name: &str, outcome: FileOutcome) {
        let count = match outcome {
            FileOutcome::Deleted => return,
            FileOutcome::Written => &self.written,
            FileOutcome::AlreadyThere => &self.already_there,
            FileOutcome::Missing | FileOutcome::Damaged | FileOutcome::Occupied => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() < MAX_KEPT_FAULTS {
            faults.extend(outcome.fault().map(|fault| format!("{name}: {fault}")));
        }
    }

    /// Looks for a file with this SHA-256; `None` if there is no file of the name.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn find(&self, name: &str, sha256: &str) -> Result<Option<FileOutcome>, Error> {
        let path = self.folder.join(name);
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(|error| cannot("read", &path, error))?,
        };
        let is_same = metadata.is_file() && sha256_of(&path).map_err(|error| cannot("read", &path, error))? == sha256;
        Ok(Some(if is_same { FileOutcome::AlreadyThere } else { FileOutcome::Occupied }))
    }

    /// Writes a file with this SHA-256.
    ///
    /// # Errors
    /// A content that breaks off; a folder that cannot be written, such as on a full disk.
    pub async fn write(&self, name: &str, sha256: &str, mut content: Content) -> Result<FileOutcome, Error> {
        let (path, unfinished) = (self.folder.join(name), self.folder.join(format!(".{name}.unfinished")));
        let failed = |error| cannot("write", &path, error);
        let mut file = create(&unfinished).map_err(failed)?;
        let mut digest = digest::Context::new(&SHA256);
        while let Some(piece) = content.try_next().await? {
            digest.update(&piece);
            file.write_all(&piece).map_err(failed)?;
        }
        if hex(digest) != sha256 {
            fs::remove_file(&unfinished).map_err(failed)?;
            return Ok(FileOutcome::Damaged);
        }
        file.sync_all().map_err(failed)?;
        match move_without_overwriting(&unfinished, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&unfinished).map_err(failed)?;
                Ok(FileOutcome::Occupied)
            }
            moved => moved.map(|()| FileOutcome::Written).map_err(failed),
        }
    }
}

/// Creates a file that an export which was killed may have left unfinished.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// A link, unlike a rename, does not replace what exists. Some file systems have no links.
fn move_without_overwriting(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let (mut file, mut digest, mut buffer) = (File::open(path)?, digest::Context::new(&SHA256), vec![0; READ_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(digest)),
            read => digest.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

fn hex(digest: digest::Context) -> String {
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cannot(what: &str, path: &Path, error: io::Error) -> Error {
    Error::internal(anyhow::Error::new(error).context(format!("cannot {what} {}", path.display())))
}
