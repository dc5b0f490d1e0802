//! `cloakroom users rename`, `promote`, `demote`, `suspend`, `reinstate`, `restore` and `end-sessions`.

use std::io::{Write as _, stderr};

use clap::Args;
use serde_json::json;

use crate::accounts::{UpdateProfile, user};
use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::table::Shape;
use crate::cli::terminal::visible;
use crate::cli::users::{Who, account, require};

#[derive(Args)]
#[group(id = "changes", required = true, multiple = true, args = ["username", "display_name"])]
pub(super) struct Rename {
    /// Username, e-mail address or id
    who: String,
    /// Another username
    #[arg(long)]
    username: Option<String>,
    /// Another name to show; an empty one takes it away
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

pub(super) async fn rename(app: &App, options: &Rename) -> anyhow::Result<()> {
    let user = require(app, &options.who).await?;
    let display_name = options.display_name.clone().map(|name| Some(name).filter(|name| !name.is_empty()));
    let input = UpdateProfile { username: options.username.clone(), display_name };
    let user = app.accounts.rename(&Caller::operator(), user.id, input).await.map_err(fault)?;
    account::print(options.shape, &user, None)
}

pub(super) async fn set_role(app: &App, who: &Who, role: user::Role) -> anyhow::Result<()> {
    let user = require(app, &who.who).await?;
    let user = app.accounts.set_role(&Caller::operator(), Some(user.id), role).await.map_err(fault)?;
    account::print(who.shape, &user, None)
}

pub(super) async fn suspend(app: &App, who: &Who) -> anyhow::Result<()> {
    let user = require(app, &who.who).await?;
    let user = app.accounts.suspend(&Caller::operator(), Some(user.id)).await.map_err(fault)?;
    account::print(who.shape, &user, None)
}

pub(super) async fn reinstate(app: &App, who: &Who) -> anyhow::Result<()> {
    let user = require(app, &who.who).await?;
    let user = app.accounts.reinstate(&Caller::operator(), Some(user.id)).await.map_err(fault)?;
    account::print(who.shape, &user, None)?;
    tell_obstacles(&user)
}

pub(super) async fn restore(app: &App, who: &Who) -> anyhow::Result<()> {
    let user = require(app, &who.who).await?;
    let user = app.accounts.restore(&Caller::operator(), user.id).await.map_err(fault)?;
    account::print(who.shape, &user, None)?;
    tell_obstacles(&user)
}

/// Tells what still keeps a user out, for a person: programs find it in the JSON.
fn tell_obstacles(user: &user::Model) -> anyhow::Result<()> {
    let (name, mut output) = (visible(&user.username), stderr());
    if let Some(since) = user.suspended_at {
        let since = account::moment(since);
        writeln!(output, "{name} is suspended since {since}; to let them in: cloakroom users reinstate {}", user.id)?;
    }
    if let Some(since) = user.deleted_at {
        let since = account::moment(since);
        writeln!(output, "{name} is deleted since {since}; to bring them back: cloakroom users restore {}", user.id)?;
    }
    if user.unconfirmed_until.is_some() {
        writeln!(output, "{name} still has to confirm their address.")?;
    }
    Ok(())
}

pub(super) async fn end_sessions(app: &App, who: &Who) -> anyhow::Result<()> {
    let user = require(app, &who.who).await?;
    let ended = app.accounts.end_sessions_of(&Caller::operator(), user.id).await.map_err(fault)?;
    let document = json!({ "id": user.id.to_string(), "username": user.username, "endedSessions": ended });
    let plural = if ended == 1 { "" } else { "s" };
    who.shape.print_one(&document, || format!("Ended {ended} session{plural} of {}.", visible(&user.username)))
}
