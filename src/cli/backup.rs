//! `cloakroom backup` and `cloakroom restore`: the embedded database, the keys and the photos, in a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use chrono::SecondsFormat;
use clap::Args;
use serde_json::{Value, json};

use crate::backup::{self, Contents, Restored, Summary};
use crate::cli::fault::fault;
use crate::cli::table::{Shape, columns};
use crate::cli::{create_data_dir, log, runtime};
use crate::clock::{Clock, rfc3339};
use crate::config::{Config, DatabaseUrl};
use crate::counters::{Advance, LatestCounter};
use crate::storage::{self, Blobs, StorageFault};
use crate::store::{Database, migrations};

const SECRET: &str = "It contains password hashes and signing keys: keep it as safe as the data directory.";

#[derive(Args)]
#[command(after_help = "\
It is consistent, whatever servers write meanwhile, and does not hold them up. Every photo is compared
with its SHA-256 as it is copied. DIR must be empty or not there; it is a backup once it has a
manifest.jsonl, which also says what it contains. It holds password hashes and signing keys: keep it
as safe as the data directory.

This is for the embedded database with photos in local files. Database servers and S3 have their own
tools: pg_dump or mariadb-dump, and the versions or copies of the bucket.

Example:
  cloakroom backup /backups/$(date +%F) && cloakroom restore /backups/2026-11-21 --data-dir /srv/copy")]
pub(super) struct Backup {
    /// Where to
    dir: PathBuf,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Args)]
#[command(after_help = "\
The data directory (--data-dir) must be empty or not there, and so must the folder of the photos if
storage.url names one: nothing is overwritten. What a file system puts into an empty volume, such as
lost+found, does not count. Every file is compared with its SHA-256, and the database is opened and
migrated, before anything is in its place. After a restore that was stopped midway, empty the folders
and begin again.

Counters continue where the backup was taken: integers that were taken later are given again. With
--advance, or `cloakroom counters advance` before the server starts, they are skipped instead: let N
be at least the number of steps that any counter took since the backup.

Examples:
  cloakroom restore /backups/2026-11-21 --data-dir /var/lib/cloakroom
  cloakroom restore /backups/2026-11-21 --data-dir /var/lib/cloakroom --advance 1000")]
pub(super) struct Restore {
    /// A folder that `cloakroom backup` made
    dir: PathBuf,
    /// Advance every counter by N steps, never past its upper bound
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    advance: Option<i64>,
    #[command(flatten)]
    shape: Shape,
}

pub(super) fn back_up(config: &Config, options: &Backup) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    let photos = local_photos(config)?;
    let data_dir = &config.server.data_dir;
    create_data_dir(data_dir)?;
    ensure!(data_dir.join("cloakroom.db").exists(), "there is no database in {}", data_dir.display());
    let summary = runtime()?.block_on(async {
        let database = Database::open(&config.database, data_dir).await?;
        // Of another version is all right, of a newer one not.
        migrations::status(&database).await?;
        let taken = match verify_storage(config, &database).await {
            Ok(()) => backup::take(&database, data_dir, &photos, &options.dir, &Clock::System).await,
            Err(error) => Err(error),
        };
        database.close().await;
        taken
    })?;
    options.shape.print_one(&document(&summary, &options.dir), || {
        let contents = summary.contents.as_ref().map_or_else(String::new, |contents| format!("\n{}", list(contents)));
        format!("backed up {}{contents}\n{SECRET}", describe(&summary, &options.dir))
    })
}

/// A backup of photos from the wrong storage would lack them. A database of an older version, or
/// one that no server has used yet, knows of no storage.
async fn verify_storage(config: &Config, database: &Database) -> anyhow::Result<()> {
    if !storage::record::is_known(database).await? {
        return Ok(());
    }
    match Blobs::open(&config.storage, &config.server.data_dir)?.attach(database).await {
        Ok(()) | Err(StorageFault::Unassigned { .. }) => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

pub(super) fn restore(config: &Config, options: &Restore) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    let photos = local_photos(config)?;
    let data_dir = &config.server.data_dir;
    if let Some(steps) = options.advance {
        Advance::By(steps).check().map_err(fault)?;
    }
    let restore = backup::Restore {
        backup: &options.dir,
        data_dir,
        photos,
        photos_place: Blobs::open(&config.storage, data_dir)?.recorded_place().to_owned(),
        advance: options.advance,
    };
    let restored = runtime()?.block_on(restore.run(&config.database, &Clock::System))?;
    let mut document = document(&restored.summary, data_dir);
    if let Value::Object(document) = &mut document {
        document.insert("contents".to_owned(), json!(restored.contents));
        document.insert("advancedBy".to_owned(), json!(options.advance));
        document.insert("stoppedAtMax".to_owned(), json!(restored.stopped_at_max));
        document.insert("latestCounters".to_owned(), restored.latest.iter().map(of_counter).collect());
    }
    options.shape.print_one(&document, || {
        let (summary, contents) = (describe(&restored.summary, data_dir), list(&restored.contents));
        format!("restored {summary}\n{contents}\n{}", numbers(&restored, options.advance))
    })
}

fn document(summary: &Summary, dir: &Path) -> Value {
    json!({
        "path": dir.display().to_string(),
        "takenAt": summary.taken_at,
        "version": summary.version,
        "files": summary.files,
        "bytes": summary.bytes,
        "contents": summary.contents,
    })
}

fn describe(summary: &Summary, dir: &Path) -> String {
    let Summary { taken_at, version, files, bytes, .. } = summary;
    format!("as of {taken_at}: {files} files, {bytes} bytes, in {} (Cloakroom {version})", dir.display())
}

fn list(contents: &Contents) -> String {
    let Contents { users, counters, photos, photo_files, photo_bytes, key_files, .. } = contents;
    let migration = contents.migration.as_deref().unwrap_or("none");
    let changed = contents.last_counter_change.as_deref().unwrap_or("none");
    format!(
        "  users: {users}, counters: {counters}, photos: {photos} ({photo_files} files, {photo_bytes} bytes), \
         key files: {key_files}\n  last change of a counter: {changed}, last migration of the database: {migration}"
    )
}

/// The part of the output that is about counters.
fn numbers(restored: &Restored, advance: Option<i64>) -> String {
    let taken_at = &restored.summary.taken_at;
    let mut text = String::new();
    if !restored.latest.is_empty() {
        let rows = restored.latest.iter().map(|LatestCounter { username, counter }| {
            let changed = counter.updated_at.to_rfc3339_opts(SecondsFormat::Secs, true);
            vec![username.clone(), counter.name.clone(), counter.current.to_string(), changed]
        });
        text = format!("\n{}\n", columns(&["USER", "COUNTER", "CURRENT", "CHANGED"], rows));
        let others = restored.contents.counters.saturating_sub(restored.latest.len() as u64);
        if others > 0 {
            text += &format!("and {others} other counters, which changed earlier\n");
        }
    }
    text += &match advance {
        None => format!(
            "\nCounters continue where they were at {taken_at}: integers that were taken later will be given again.\n\
             To skip them, run this before the server starts, with at least as many steps as any counter took since:\n  \
             cloakroom counters advance --all --by N --yes"
        ),
        Some(steps) => {
            let stopped = match restored.stopped_at_max {
                0 => String::new(),
                stopped => format!(" Counters that stopped at their upper bound before: {stopped}."),
            };
            format!(
                "\nEvery counter was then advanced by {steps} steps.{stopped}\nIntegers that a counter took after \
                 {taken_at}, beyond that number of steps, will be given again."
            )
        }
    };
    text
}

fn of_counter(LatestCounter { username, counter }: &LatestCounter) -> Value {
    json!({
        "username": username,
        "counter": counter.name,
        "current": counter.current,
        "updatedAt": rfc3339(counter.updated_at),
    })
}

/// The folder of the photos, where a backup is possible.
fn local_photos(config: &Config) -> anyhow::Result<PathBuf> {
    refuse_others(config)?;
    storage::photos_folder(&config.storage, &config.server.data_dir).context(
        "this is for photos in local files; storage.url is S3, which has its own tools: versions or copies of the bucket",
    )
}

fn refuse_others(config: &Config) -> anyhow::Result<()> {
    let tool = match &config.database.url {
        DatabaseUrl::Embedded => None,
        DatabaseUrl::Postgres(_) => Some("pg_dump and pg_restore"),
        DatabaseUrl::Mysql(_) => Some("mariadb-dump --single-transaction, or mysqldump"),
        DatabaseUrl::Sqlite(_) => Some("sqlite3 FILE '.backup COPY'"),
    };
    if let Some(tool) = tool {
        bail!(
            "this is for the embedded database in the data directory; database.url names another one, which has its \
             own tools: {tool}. Copy its photos after that, and the folder keys of the data directory as well"
        );
    }
    Ok(())
}
