//! `cloakroom photos`: whether what is kept of photos is whole, and their sizes made anew.
//!
//! As `users`, it works on the database and the storage themselves, beside running servers or without one.

mod check;
mod rebuild;

use clap::Subcommand;

use crate::cli::{create_data_dir, log, open, runtime};
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Photos {
    /// Look whether rows, stored contents and quotas agree; exit code 1 where they do not
    Check(check::Check),
    /// Make THUMBNAIL, SMALL and LARGE of every photo anew from the originals
    Rebuild(rebuild::Rebuild),
}

pub(super) fn run(config: &Config, command: &Photos) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    create_data_dir(&config.server.data_dir)?;
    runtime()?.block_on(async {
        let app = open(config).await?;
        let outcome = match command {
            Photos::Check(options) => check::run(&app, options).await,
            Photos::Rebuild(options) => rebuild::run(&app, options).await,
        };
        app.stop().await;
        outcome
    })
}
