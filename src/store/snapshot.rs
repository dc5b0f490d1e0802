//! The embedded database as it is at one moment, in another file.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::store::{Backend, Database, sqlite};

impl Database {
    /// Writes the database as it is now to `path`, where nothing is, for its owner only.
    ///
    /// It reads in one transaction of a connection that only reads. Writers go on; what they write waits in the log
    /// (WAL), which grows until this ends.
    ///
    /// # Errors
    /// Another database than the embedded one; a full disk.
    pub async fn snapshot(&self, path: &Path) -> anyhow::Result<()> {
        ensure!(self.backend() == Backend::Sqlite, "only the embedded database can be written to a file");
        let name = path.to_str().context("its name is not UTF-8")?;
        // SQLite takes an empty file, and leaves its mode as it is.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let vacuum = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [name.into()]);
        self.reader().execute_raw(vacuum).await?;
        Ok(())
    }

    /// Opens what [`Database::snapshot`] has written, to read it: not a byte of it changes.
    ///
    /// # Errors
    /// A file that is no database, or a damaged one.
    pub async fn open_snapshot(path: &Path) -> anyhow::Result<Self> {
        let database = sqlite::open_immutable(path);
        sqlite::quick_check(&database).await?;
        Ok(database)
    }

    /// Closes the embedded database so that all of it is in its one file.
    ///
    /// # Errors
    /// Others have it open.
    pub async fn close_to_file(self, path: &Path) -> anyhow::Result<()> {
        let fold = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
        let folded = self.write_statement(fold).await.map_err(|error| anyhow::anyhow!(error.reason()));
        self.close().await;
        folded?;
        for side in ["-wal", "-shm"] {
            let mut side_path = path.as_os_str().to_owned();
            side_path.push(side);
            match fs::metadata(&side_path) {
                Ok(found) if side == "-wal" && found.len() > 0 => {
                    bail!("{} is open elsewhere", path.display())
                }
                Ok(_) => fs::remove_file(&side_path)?,
                Err(_) => {}
            }
        }
        Ok(())
    }
}
