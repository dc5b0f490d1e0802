//! `cloakroom photos`: whether what is kept of photos is whole, and their sizes made anew.
//!
//! As `users`, it works on the database and the storage themselves, beside running servers or without one.

mod adopt;
mod check;
mod rebuild;

use clap::Subcommand;

use crate::app::App;
use crate::cli::{create_data_dir, log, open, runtime};
use crate::config::Config;
use crate::photos::FirstUse;

#[derive(Subcommand)]
pub(super) enum Photos {
    /// Look whether rows, stored contents and quotas agree; exit code 1 where they do not
    Check(check::Check),
    /// Assign the storage that the settings name to this database
    Adopt(adopt::Adopt),
    /// Make THUMBNAIL, SMALL and LARGE of every photo anew from the originals
    Rebuild(rebuild::Rebuild),
}

pub(super) fn run(config: &Config, command: &Photos) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    create_data_dir(&config.server.data_dir)?;
    runtime()?.block_on(async {
        let app = open(config).await?;
        let outcome = obey(&app, command).await;
        app.stop().await;
        outcome
    })
}

async fn obey(app: &App, command: &Photos) -> anyhow::Result<()> {
    let attached = async || app.photos.attach_storage(FirstUse::Refuse).await;
    match command {
        Photos::Check(options) => {
            attached().await?;
            check::run(app, options).await
        }
        Photos::Adopt(options) => adopt::run(app, options).await,
        Photos::Rebuild(options) => {
            attached().await?;
            rebuild::run(app, options).await
        }
    }
}
