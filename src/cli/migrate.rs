//! `cloakroom migrate`: the database's schema.

use anyhow::bail;
use clap::Subcommand;

use crate::cli::{create_data_dir, runtime, say};
use crate::config::Config;
use crate::store::{Database, migrations};

#[derive(Subcommand)]
pub(super) enum Migrate {
    /// Apply pending migrations, also while servers run
    Up,
    /// Take back the last migration, and lose what its tables hold; refused while a server runs
    Down {
        /// How many
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// Show what has been applied
    Status,
    /// Drop every table and begin again: everything is lost; refused while a server runs
    Fresh {
        /// Needed: there is no way back
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn run(config: &Config, command: &Migrate) -> anyhow::Result<()> {
    create_data_dir(&config.server.data_dir)?;
    runtime()?.block_on(async {
        let database = Database::open(&config.database, &config.server.data_dir).await?;
        match command {
            Migrate::Up => migrations::up(&database).await?,
            Migrate::Down { steps } => migrations::down(&database, *steps).await?,
            Migrate::Status => {}
            Migrate::Fresh { yes: true } => migrations::fresh(&database).await?,
            Migrate::Fresh { yes: false } => bail!("this drops every table: say `migrate fresh --yes` if you mean it"),
        }
        for migration in migrations::status(&database).await? {
            say(format_args!("{}  {}", if migration.applied { "applied" } else { "pending" }, migration.name))?;
        }
        database.close().await;
        Ok(())
    })
}
