//! `cloakroom users`: the management shell, for whoever can open the database.
//!
//! It works on the database itself, beside a running server or without one. A server with the embedded database
//! notices within a fifth of a second, one with a database server within `session_recheck_seconds`; the mails that a
//! command causes are sent by the server.
//!
//! **Invariant:** a password is never an argument, which the whole machine can see, and is never printed, but for the
//! one that was just generated.

mod account;
mod add;
mod change;
mod delete;
mod export;
mod import;
mod lines;
mod list;
mod record;
mod secret;
mod show;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use crate::accounts::user;
use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::table::Shape;
use crate::cli::terminal::visible;
use crate::cli::{create_data_dir, log, open, runtime};
use crate::config::Config;

#[derive(Args)]
#[command(after_help = "\
WHO is a username, an e-mail address or an id. A server that runs on the same database notices at
once; mails, such as the one after `set-password`, are sent by it, or wait for it. Run this as the
user whom the server runs as: files of another one would be in its way.
Passwords are asked for, read from a pipe or generated: they are never arguments.

Examples:
  cloakroom users promote anna                         the first administrator
  cloakroom users list --search example.org --json | jq -r '.[].username'
  cloakroom users add bob --email bob@example.org --verified --generate-password
  cloakroom users set-password bob --password-stdin < secret
  cloakroom users suspend bob && cloakroom users show bob
  cloakroom users import --dry-run people.jsonl")]
pub(super) struct Users {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List users, by username: also those who are suspended, deleted or still to be confirmed
    List(list::List),
    /// Show a user, their live sessions and API keys, and the latest of their audit log
    Show(Who),
    /// Make a user
    Add(add::Add),
    /// Give a user another password, and end their sessions
    SetPassword(add::SetPassword),
    /// Give a user another username or display name
    Rename(change::Rename),
    /// Make a user an administrator
    Promote(Who),
    /// Make an administrator an ordinary user
    Demote(Who),
    /// Shut a user out: their sessions end, their API keys are refused
    Suspend(Who),
    /// Let a user in again who was suspended
    Reinstate(Who),
    /// Bring a user back who was deleted, within the days of grace
    Restore(Who),
    /// End every session of a user
    EndSessions(Who),
    /// Delete a user: after some days, or at once, with all that is theirs
    Delete(delete::Delete),
    /// Print everything that is kept of a user, as JSON
    Export(export::Export),
    /// Make users from a file, also with the password hashes of another server
    Import(import::Import),
}

/// Somebody, for the commands that need nothing else.
#[derive(Args)]
struct Who {
    /// Username, e-mail address or id
    who: String,
    #[command(flatten)]
    shape: Shape,
}

pub(super) fn run(config: &Config, users: &Users) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    create_data_dir(&config.server.data_dir)?;
    runtime()?.block_on(async {
        let app = open(config).await?;
        let outcome = obey(&app, config, &users.command).await;
        app.stop().await;
        outcome
    })
}

async fn obey(app: &App, config: &Config, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List(options) => list::run(app, options).await,
        Command::Show(who) => show::run(app, who).await,
        Command::Add(options) => add::run(app, options).await,
        Command::SetPassword(options) => add::set_password(app, options).await,
        Command::Rename(options) => change::rename(app, options).await,
        Command::Promote(who) => change::set_role(app, who, user::Role::Admin).await,
        Command::Demote(who) => change::set_role(app, who, user::Role::User).await,
        Command::Suspend(who) => change::suspend(app, who).await,
        Command::Reinstate(who) => change::reinstate(app, who).await,
        Command::Restore(who) => change::restore(app, who).await,
        Command::EndSessions(who) => change::end_sessions(app, who).await,
        Command::Delete(options) => delete::run(app, config, options).await,
        Command::Export(options) => export::run(app, options).await,
        Command::Import(options) => import::run(app, options).await,
    }
}

/// The user who is meant, whatever has become of them.
pub(super) async fn require(app: &App, who: &str) -> anyhow::Result<user::Model> {
    let found = app.accounts.find_account(&Caller::operator(), who).await.map_err(fault)?;
    found.ok_or_else(|| anyhow!("there is no user {}", visible(who)))
}
