//! The lock of a SQLite database, in a file beside it: held by the server that uses the database.
//!
//! The file is named after the database with all symbolic links resolved, as SQLite names its
//! `-wal` file, so every path to the database leads to the same lock. The database file itself is
//! not locked: closing any descriptor of it would drop the locks that SQLite has on it.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sea_orm::{ConnectionTrait as _, Statement};

use crate::store::Database;

/// A lock that ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    _file: File,
}

impl FileLock {
    /// Locks the database that this SQLite connection has opened.
    ///
    /// # Errors
    /// Another process has the lock.
    pub(super) async fn acquire(database: &Database) -> anyhow::Result<Self> {
        let reader = database.reader();
        let sql = "SELECT file FROM pragma_database_list WHERE name = 'main'";
        let rows = reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await?;
        let path = rows.first().context("SQLite has no main database")?.try_get_by_index::<String>(0)?;
        Self::acquire_at(Path::new(&path))
    }

    /// Locks the database file at this path, which need not exist.
    ///
    /// # Errors
    /// Another process has the lock; a folder that does not exist or is not writable.
    pub fn acquire_at(database: &Path) -> anyhow::Result<Self> {
        let path = lock_path(database)?;
        let file = File::options().create(true).append(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!("another server is using the database {}: stop it first", database.display())
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// Fails if another process has the lock of the database at this path, without creating a file.
    ///
    /// # Errors
    /// As [`FileLock::acquire_at`].
    pub fn assert_free(database: &Path) -> anyhow::Result<()> {
        match lock_path(database) {
            Ok(path) if path.exists() => Self::acquire_at(database).map(drop),
            _ => Ok(()),
        }
    }

    /// The path of the lock.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, for a database that is gone.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(self) -> std::io::Result<()> {
        fs::remove_file(&self.path)
    }
}

fn lock_path(database: &Path) -> anyhow::Result<PathBuf> {
    let absolute = match database.canonicalize() {
        Ok(path) => path,
        // Not there yet: only its folder can be resolved.
        Err(_) => {
            let name = database.file_name().with_context(|| format!("{} is no file", database.display()))?;
            let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
            folder.join(name)
        }
    };
    let mut path = OsString::from(absolute);
    path.push("-lock");
    Ok(path.into())
}
