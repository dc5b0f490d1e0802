//! A backup is taken: contents first, then the snapshot, then the contents that came meanwhile, then the keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use chrono::SecondsFormat;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::backup::copy::{Hashed, copy, hash};
use crate::backup::manifest::Writer;
use crate::backup::{Contents, DATABASE, KEYS, PHOTOS, Summary, claim_folder, sync_folders};
use crate::clock::Clock;
use crate::photos::blob::{self, Held};
use crate::storage::is_from_file_system;
use crate::store::Database;

/// Files that are copied side by side.
const AT_ONCE: usize = 8;
/// Rows read at once.
const PAGE: u64 = 1000;
/// Snapshots that are taken at most, because contents that one of them shows were deleted.
const SNAPSHOTS: usize = 10;

/// What became of the contents that a database shows.
enum Copied {
    All,
    /// All but this one, and perhaps others: it is not there.
    Not(String),
}

/// From where to where.
struct Road {
    data_dir: PathBuf,
    photos: PathBuf,
    target: PathBuf,
}

/// Takes a backup of the embedded database, of the keys in `data_dir` and of the photos in
/// `photos`, into `target`, which must be empty or not there; servers go on meanwhile. Writers are
/// never held up: a snapshot only reads. The log of what they write grows for as long as it takes.
///
/// # Errors
/// A folder that is not empty, a full disk, a content that is missing or is not what was stored: what is in `target`
/// then is no backup.
pub async fn take(
    database: &Database,
    data_dir: &Path,
    photos: &Path,
    target: &Path,
    clock: &Clock,
) -> anyhow::Result<Summary> {
    claim_folder(target, "a backup")?;
    let road = Road { data_dir: data_dir.to_owned(), photos: photos.to_owned(), target: target.to_owned() };
    // What is missing by now is told when a snapshot shows it.
    road.copy_contents(database, None).await?;
    let mut missed = None;
    for _ in 0..SNAPSHOTS {
        let taken_at = clock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let snapshot = road.snapshot(database).await?;
        let mut manifest = Writer::begin(target, taken_at, Contents::count(&snapshot).await?)?;
        let copied = road.copy_contents(&snapshot, Some(&mut manifest)).await;
        if let Ok(Copied::All) = &copied {
            road.remove_others(&snapshot).await?;
        }
        snapshot.close().await;
        match copied? {
            // It was deleted and swept, and no later snapshot shows it.
            Copied::Not(key) if missed.as_ref() != Some(&key) => missed = Some(key),
            Copied::Not(key) => bail!("the content {key} is missing: see `cloakroom photos check`"),
            Copied::All => return tokio::task::spawn_blocking(move || road.finish(manifest)).await?,
        }
    }
    bail!("photos are deleted faster than they can be copied: try again")
}

impl Road {
    /// Copies what this database shows and has not been copied, and lists it.
    async fn copy_contents(&self, database: &Database, mut manifest: Option<&mut Writer>) -> anyhow::Result<Copied> {
        let (mut after, mut outcome) = (None, Copied::All);
        // A database of an older version may know no photos.
        if !blob::is_known(database).await? {
            return Ok(outcome);
        }
        loop {
            let page = blob::list_held(database.reader(), after, PAGE).await.map_err(cause)?;
            let Some(last) = page.last() else { return Ok(outcome) };
            after = Some(last.id);
            let copies = futures_util::stream::iter(page).map(|held| self.copy_content(held)).buffered(AT_ONCE);
            let copied: Vec<(Held, Option<Hashed>)> = copies.try_collect().await?;
            for (held, hashed) in copied {
                match (hashed, manifest.as_deref_mut()) {
                    (None, _) => outcome = Copied::Not(held.object_key),
                    (Some(hashed), Some(manifest)) => {
                        manifest.add(format!("{PHOTOS}/{}", held.object_key), hashed)?;
                    }
                    (Some(_), None) => {}
                }
            }
        }
    }

    /// What a content is found to be; `None` if it is not there.
    async fn copy_content(&self, held: Held) -> anyhow::Result<(Held, Option<Hashed>)> {
        let (from, to) = (self.photos.join(&held.object_key), self.target.join(PHOTOS).join(&held.object_key));
        let copying = tokio::task::spawn_blocking(move || {
            let expected = Hashed {
                size: u64::try_from(held.byte_size).unwrap_or_default(),
                sha256: held.hash.clone().unwrap_or_default(),
            };
            if to.try_exists()? {
                return Ok((held, Some(expected)));
            }
            match copy(&from, &to) {
                Ok(hashed) => {
                    ensure!(
                        hashed == expected,
                        "{} is not what was stored: see `cloakroom photos check`",
                        from.display()
                    );
                    Ok((held, Some(hashed)))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((held, None)),
                Err(error) => Err(error).with_context(|| format!("cannot copy {}", from.display())),
            }
        });
        copying.await?
    }

    /// Takes a snapshot, in the place of an earlier one, and opens it.
    async fn snapshot(&self, database: &Database) -> anyhow::Result<Database> {
        let path = self.target.join(DATABASE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        database.snapshot(&path).await.with_context(|| format!("cannot write {}", path.display()))?;
        Database::open_snapshot(&path).await
    }

    /// Removes copies of what was deleted before the snapshot.
    async fn remove_others(&self, snapshot: &Database) -> anyhow::Result<()> {
        let photos = self.target.join(PHOTOS);
        let folders = match fs::read_dir(&photos) {
            Ok(folders) => folders.collect::<Result<Vec<_>, _>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for folder in folders.into_iter().filter(|folder| !is_from_file_system(&folder.file_name())) {
            let folder = folder.file_name().to_string_lossy().into_owned();
            let names = fs::read_dir(photos.join(&folder))?;
            let keys = names.map(|name| Ok(format!("{folder}/{}", name?.file_name().to_string_lossy())));
            let keys = keys.collect::<io::Result<Vec<String>>>()?;
            for keys in keys.chunks(500) {
                let shown = blob::list_held_of(snapshot.reader(), keys).await.map_err(cause)?;
                for key in keys.iter().filter(|key| !shown.contains(key)) {
                    fs::remove_file(photos.join(key))?;
                }
            }
        }
        Ok(())
    }

    fn finish(&self, mut manifest: Writer) -> anyhow::Result<Summary> {
        let path = self.target.join(DATABASE);
        fs::File::open(&path)?.sync_all()?;
        manifest.add(DATABASE.to_owned(), hash(&path)?)?;
        let keys = self.data_dir.join(KEYS);
        for entry in fs::read_dir(&keys).with_context(|| format!("cannot read {}", keys.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What is being written has another name when it is whole.
            if !entry.file_type()?.is_file() || name.starts_with('.') || name.ends_with(".new") {
                continue;
            }
            match copy(&entry.path(), &self.target.join(KEYS).join(&name)) {
                Ok(hashed) => manifest.add(format!("{KEYS}/{name}"), hashed)?,
                // A rotation has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot copy {}", entry.path().display())),
            }
        }
        sync_folders(&self.target)?;
        let summary = manifest.finish()?;
        // The folder's own name: it may be new.
        if let Some(parent) = self.target.canonicalize()?.parent() {
            fs::File::open(parent)?.sync_all()?;
        }
        Ok(summary)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a function for `map_err`")]
pub(super) fn cause(error: crate::error::Error) -> anyhow::Error {
    anyhow::anyhow!(error.reason())
}
