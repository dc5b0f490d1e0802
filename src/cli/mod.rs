//! The command line: one file a command.

mod backup;
mod config;
mod console;
mod counters;
mod fault;
mod interrupt;
mod keys;
mod log;
mod migrate;
mod photos;
mod schema;
mod serve;
mod signals;
mod stop;
mod table;
mod terminal;
mod users;

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::backup::RESTORING;
use crate::config::{Config, Overrides};
use crate::data_dir::private_files;
use crate::store::{Database, migrations};

pub use interrupt::Interrupted;

/// Accounts and gap-free numbers behind one GraphQL schema.
///
/// Without a command, Cloakroom serves: on 127.0.0.1:8000, with everything it keeps in ./data.
#[derive(Parser)]
#[command(
    name = "cloakroom",
    version,
    max_term_width = 100,
    after_help = "\
Every setting can also come from a file (--config) or the environment, such as
CLOAKROOM__SERVER__LISTEN=0.0.0.0:8000. `cloakroom config` prints those in force,
`cloakroom config --defaults` all of them with an explanation.

Examples:
  cloakroom                                            serve on http://127.0.0.1:8000
  cloakroom --listen 0.0.0.0:80 --data-dir /var/lib/cloakroom
  cloakroom --database postgres://cloakroom@db/cloakroom --migrate
  cloakroom migrate status                             what the database has
  cloakroom users promote anna                         make somebody an administrator
  cloakroom backup /backups/today                      copy everything, also while it serves
  cloakroom console --as anna                          GraphQL at a prompt, as this user"
)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Settings that every command takes.
#[derive(Args)]
struct Settings {
    /// Read settings from this TOML file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the embedded database and the signing keys lie [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// sqlite://PATH, postgres:// or mysql://USER:PASSWORD@HOST/NAME [default: SQLite in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (the default)
    Serve,
    /// Bring the database to the shape that this version expects
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Print the GraphQL schema (SDL)
    Schema,
    /// The keys that sign access tokens
    #[command(subcommand)]
    Keys(keys::Keys),
    /// See and manage users, also while the server runs
    Users(users::Users),
    /// Advance counters, also while the server runs
    #[command(subcommand)]
    Counters(counters::Counters),
    /// Check what is kept of photos, and make their sizes anew, also while the server runs
    #[command(subcommand)]
    Photos(photos::Photos),
    /// Copy everything into a folder, also while the server runs
    Backup(backup::Backup),
    /// Put a backup into an empty data directory
    Restore(backup::Restore),
    /// Run GraphQL as any user: at a prompt, from a pipe or from the command line
    Console(console::Options),
    /// Print the settings in force, with secrets masked
    Config(config::Show),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever keeps it from being done, for the person at the terminal.
    pub fn run(self) -> anyhow::Result<()> {
        let load = || Config::load(self.settings.config.as_deref(), &self.settings.overrides());
        let config = load()?;
        match self.command {
            None | Some(Command::Serve) => serve::run(config, load),
            Some(Command::Migrate(command)) => migrate::run(&config, &command),
            Some(Command::Schema) => schema::run(),
            Some(Command::Keys(command)) => keys::run(&config, &command),
            Some(Command::Users(users)) => users::run(&config, &users),
            Some(Command::Counters(command)) => counters::run(&config, &command),
            Some(Command::Photos(command)) => photos::run(&config, &command),
            Some(Command::Backup(options)) => backup::back_up(&config, &options),
            Some(Command::Restore(options)) => backup::restore(&config, &options),
            Some(Command::Console(options)) => console::run(config, &options),
            Some(Command::Config(show)) => config::run(&config, &show),
        }
    }
}

impl Settings {
    fn overrides(&self) -> Overrides {
        let listen = self.serve.listen.as_ref().map(ToString::to_string);
        let migrate = self.serve.migrate.then(|| "true".to_owned());
        let settings = [
            ("server.listen", listen),
            ("server.data_dir", self.data_dir.clone()),
            ("database.url", self.database.clone()),
            ("database.migrate", migrate),
        ];
        Overrides { settings: settings.into_iter().filter_map(|(name, value)| Some((name, value?))).collect() }
    }
}

/// Makes the data directory, for its owner only; one that others have access to is taken from them. One with half a restore in it is refused.
fn create_data_dir(path: &Path) -> anyhow::Result<()> {
    if path.join(RESTORING).exists() {
        bail!("a restore into {} has not ended: wait for it, or empty the directory and restore again", path.display());
    }
    let mut builder = fs::DirBuilder::new();
    let created = builder.recursive(true).mode(0o700).create(path);
    created.with_context(|| format!("cannot create the data directory {}", path.display()))?;
    private_files::secure(path)
}

/// Opens what the server opens, beside it or without it, on a database that has been migrated.
async fn open(config: &Config) -> anyhow::Result<App> {
    let database = Database::open(&config.database, &config.server.data_dir).await?;
    match migrations::pending(&database).await? {
        0 => {
            let clock = database.clock().await.map_err(fault::fault)?;
            App::start(config, database, clock)
        }
        pending => {
            bail!("{pending} migrations of the database are pending: start the server, or run `cloakroom migrate up`")
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Prints a line for the person at the terminal, or the program behind the pipe.
fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    use std::io::Write as _;
    match writeln!(std::io::stdout(), "{line}") {
        // `cloakroom schema | head` is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
