//! `cloakroom backup` and `cloakroom restore`: the embedded database, the keys and the photos, in a folder.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;

use crate::backup;
use crate::cli::{create_data_dir, log, runtime, say};
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::store::{Database, migrations};

#[derive(Args)]
#[command(after_help = "\
It is consistent, whatever servers write meanwhile, and does not hold them up. Every photo is compared
with its SHA-256 as it is copied. DIR must be empty or not there; it is a backup once it has a
manifest.jsonl. It holds password hashes and signing keys: keep it as safe as the data directory.

This is for the embedded database with photos in local files. Database servers and S3 have their own
tools: pg_dump or mariadb-dump, and the versions or copies of the bucket.

Example:
  cloakroom backup /backups/$(date +%F) && cloakroom restore /backups/2026-11-21 --data-dir /srv/copy")]
pub(super) struct Backup {
    /// Where to
    dir: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
The data directory (--data-dir) must be empty or not there: nothing is overwritten. Every file is
compared with its SHA-256, and the database is opened and migrated, before anything is in its place.
After a restore that was stopped midway, empty the data directory and begin again.

Example:
  cloakroom restore /backups/2026-11-21 --data-dir /var/lib/cloakroom")]
pub(super) struct Restore {
    /// A folder that `cloakroom backup` made
    dir: PathBuf,
}

pub(super) fn back_up(config: &Config, options: &Backup) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    refuse_others(config)?;
    let data_dir = &config.server.data_dir;
    create_data_dir(data_dir)?;
    ensure!(data_dir.join("cloakroom.db").exists(), "there is no database in {}", data_dir.display());
    let summary = runtime()?.block_on(async {
        let database = Database::open(&config.database, data_dir).await?;
        // Of another version is all right, of a newer one not.
        migrations::status(&database).await?;
        let taken = backup::take(&database, data_dir, &options.dir, &Clock::System).await;
        database.close().await;
        taken
    })?;
    let (files, bytes) = (summary.files, summary.bytes);
    say(format_args!(
        "backed up as of {}: {files} files, {bytes} bytes, in {}",
        summary.taken_at,
        options.dir.display()
    ))
}

pub(super) fn restore(config: &Config, options: &Restore) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    refuse_others(config)?;
    let data_dir = &config.server.data_dir;
    let summary = runtime()?.block_on(backup::restore(&options.dir, data_dir, &config.database))?;
    let (files, bytes) = (summary.files, summary.bytes);
    say(format_args!("restored as of {}: {files} files, {bytes} bytes, in {}", summary.taken_at, data_dir.display()))
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
    ensure!(
        config.storage.url.is_empty(),
        "this is for photos in local files; storage.url is S3, which has its own tools: versions or copies of the bucket"
    );
    Ok(())
}
