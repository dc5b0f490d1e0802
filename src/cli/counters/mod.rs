//! `cloakroom counters`: counters as an operator sees them.
//!
//! As `users`, it works on the database itself, beside running servers or without one.

mod advance;

use clap::Subcommand;

use crate::cli::{create_data_dir, log, open, runtime};
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Counters {
    /// Have counters skip integers, as after a restore
    Advance(advance::Advance),
}

pub(super) fn run(config: &Config, command: &Counters) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    create_data_dir(&config.server.data_dir)?;
    runtime()?.block_on(async {
        let app = open(config).await?;
        let outcome = match command {
            Counters::Advance(options) => advance::run(&app, options).await,
        };
        app.stop().await;
        outcome
    })
}
