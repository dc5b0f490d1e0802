//! A backup is restored: verified as a whole, then moved into place.
//!
//! The database, the keys and the photos each have a folder, which may be a volume of its own. The
//! database comes last: without it there is nothing to serve.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::backup::copy::{Hashed, copy};
use crate::backup::manifest::{Entry, Manifest};
use crate::backup::part::Part;
use crate::backup::take::cause;
use crate::backup::{Contents, DATABASE, KEYS, PHOTOS, Summary};
use crate::clock::Clock;
use crate::config::{self, DatabaseUrl};
use crate::counters::{self, Advance, LatestCounter, Which};
use crate::storage::{self, Identity, MARKER};
use crate::store::{Database, FileLock, migrations};

/// The folder in which a restore works. No server starts while it exists in the data directory.
pub const RESTORING: &str = "restoring";
/// Counters that are returned one by one.
const LISTED: u64 = 20;

/// A restore to be done.
#[derive(Clone, Debug)]
pub struct Restore<'r> {
    /// The folder that `cloakroom backup` has filled.
    pub backup: &'r Path,
    /// The data directory, for the database and the keys.
    pub data_dir: &'r Path,
    /// The folder for the photos.
    pub photos: PathBuf,
    /// A description of that folder, for messages of servers.
    pub photos_place: String,
    /// The number of steps by which every counter advances.
    pub advance: Option<i64>,
}

/// The outcome of a restore.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The description of the backup.
    pub summary: Summary,
    /// The contents of the restored database.
    pub contents: Contents,
    /// The counters that changed last, before they were advanced.
    pub latest: Vec<LatestCounter>,
    /// The number of counters that advanced by fewer steps than asked for, because of their upper
    /// bound.
    pub stopped_at_max: u64,
}

/// The contents of the restored database.
struct Opened {
    contents: Contents,
    latest: Vec<LatestCounter>,
    stopped_at_max: u64,
}

/// The folders of a restore.
struct Parts {
    data: Part,
    keys: Part,
    photos: Part,
    /// The lock that servers take.
    lock: FileLock,
}

impl Restore<'_> {
    /// Restores the backup. The data directory and the photos folder must be empty or not exist.
    ///
    /// # Errors
    /// A folder that is not a complete backup, a file that is not what the manifest says, a data
    /// directory that is in use: then nothing is left behind.
    pub async fn run(&self, settings: &config::Database, clock: &Clock) -> anyhow::Result<Restored> {
        let manifest = Manifest::open(self.backup)?;
        let (summary, files) = (manifest.summary.clone(), manifest.files.clone());
        let parts = Parts::claim(self)?;
        let filled = self.fill(&parts, manifest, settings, clock).await;
        let moved = filled.and_then(|opened| {
            // From here on, what fails is a disk: then it is there to be looked at, and no server
            // starts.
            parts.move_up()?;
            Ok(opened)
        });
        match moved {
            Ok(Opened { contents, latest, stopped_at_max }) => {
                let Contents { photo_files, photo_bytes, key_files, .. } = files;
                let contents = Contents { photo_files, photo_bytes, key_files, ..contents };
                Ok(Restored { summary, contents, latest, stopped_at_max })
            }
            Err(error) => {
                parts.give_up(self.data_dir);
                Err(error)
            }
        }
    }

    /// Copies and verifies everything, and has the database opened and migrated as a server will.
    async fn fill(
        &self,
        parts: &Parts,
        manifest: Manifest,
        settings: &config::Database,
        clock: &Clock,
    ) -> anyhow::Result<Opened> {
        let from = self.backup.to_owned();
        let (data, keys, photos) = (parts.data.work(), parts.keys.work(), parts.photos.work());
        let work = data.clone();
        let target = move |path: &str| match path.split_once('/') {
            Some((KEYS, name)) => keys.join(name),
            Some((PHOTOS, key)) => photos.join(key),
            _ => data.join(path),
        };
        let copying = tokio::task::spawn_blocking(move || {
            for entry in manifest.entries()? {
                let entry = entry?;
                copy_entry(&from, &entry, &target(&entry.path))?;
            }
            Ok::<_, anyhow::Error>(())
        });
        copying.await??;
        let settings = config::Database { url: DatabaseUrl::Embedded, ..settings.clone() };
        let database = Database::open(&settings, &work).await?;
        let opened = self.prepare(&database, clock).await;
        let closed = database.close_to_file(&work.join(DATABASE)).await;
        let (opened, identity) = opened?;
        closed?;
        File::open(work.join(DATABASE))?.sync_all()?;
        write_marker(&parts.photos.work().join(MARKER), identity)?;
        parts.sync()?;
        Ok(opened)
    }

    /// Migrates the database, gives it and its storage an identity of their own, and advances its
    /// counters. Both databases may be used at the same time, and must not share a storage.
    async fn prepare(&self, database: &Database, clock: &Clock) -> anyhow::Result<(Opened, Identity)> {
        migrations::up(database).await?;
        let identity = Identity::generate();
        storage::record::replace_identity(database, identity, &self.photos_place).await.map_err(cause)?;
        let contents = Contents::count(database).await?;
        let latest = counters::list_latest(database.reader(), LISTED).await.map_err(cause)?;
        let mut stopped_at_max = 0;
        if let Some(steps) = self.advance {
            let tell = |counter: &counters::Advanced| stopped_at_max += u64::from(counter.is_cut);
            let advance = Advance::By(steps);
            counters::advance_counters(database, clock, &Which::All, advance, tell).await.map_err(cause)?;
        }
        Ok((Opened { contents, latest, stopped_at_max }, identity))
    }
}

impl Parts {
    /// Takes the folders, before a server can.
    fn claim(restore: &Restore<'_>) -> anyhow::Result<Self> {
        let data_dir = restore.data_dir;
        let database = data_dir.join(DATABASE);
        FileLock::assert_free(&database)?;
        let data = Part::claim(data_dir)?;
        let lock = FileLock::acquire_at(&database).inspect_err(|_| data.give_up())?;
        let others = Part::claim(&data_dir.join(KEYS)).and_then(|keys| {
            let photos = Part::claim(&restore.photos).inspect_err(|_| keys.give_up())?;
            Ok((keys, photos))
        });
        match others {
            Ok((keys, photos)) => Ok(Self { data, keys, photos, lock }),
            Err(error) => {
                drop(lock.remove());
                data.give_up();
                Err(error)
            }
        }
    }

    fn sync(&self) -> anyhow::Result<()> {
        for part in [&self.photos, &self.keys, &self.data] {
            part.sync()?;
        }
        Ok(())
    }

    /// The database last.
    fn move_up(&self) -> anyhow::Result<()> {
        let parts = [&self.photos, &self.keys, &self.data];
        parts.into_iter().try_for_each(Part::move_up)?;
        parts.into_iter().try_for_each(Part::finish)
    }

    fn give_up(self, data_dir: &Path) {
        if data_dir.join(DATABASE).exists() {
            return;
        }
        for part in [&self.photos, &self.keys] {
            part.give_up();
        }
        drop(self.lock.remove());
        self.data.give_up();
    }
}

fn copy_entry(backup: &Path, entry: &Entry, target: &Path) -> anyhow::Result<()> {
    let from = backup.join(&entry.path);
    let found = copy(&from, target).with_context(|| format!("cannot restore {}", from.display()))?;
    let expected = Hashed { size: entry.size, sha256: entry.sha256.clone() };
    ensure!(found == expected, "{} is not what was backed up: its size or SHA-256 is another", from.display());
    Ok(())
}

fn write_marker(path: &Path, identity: Identity) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&identity.to_marker()?)?;
    Ok(file.sync_all()?)
}
