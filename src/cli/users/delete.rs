//! `cloakroom users delete`.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use anyhow::bail;
use chrono::TimeDelta;
use clap::Args;
use serde_json::json;

use crate::accounts::user;
use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::table::Shape;
use crate::cli::terminal::visible;
use crate::cli::users::account::moment;
use crate::cli::users::require;
use crate::clock::rfc3339;
use crate::config::Config;

#[derive(Args)]
#[command(after_help = "\
A deleted user is gone for everybody at once; for `accounts.deletion_grace_days` `restore` brings
them back. Then, or with --now, the account goes with everything that is theirs: sessions, API keys,
counters, photos and audit log. `users export` saves it before. A removal that is interrupted is
continued by the server.")]
pub(super) struct Delete {
    /// Username, e-mail address or id
    who: String,
    /// At once and for good: there is no way back
    #[arg(long)]
    now: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    shape: Shape,
}

pub(super) async fn run(app: &App, config: &Config, options: &Delete) -> anyhow::Result<()> {
    let user = require(app, &options.who).await?;
    if !options.yes {
        confirm(&user, options.now)?;
    }
    app.accounts.delete_user(&Caller::operator(), user.id, options.now).await.map_err(fault)?;
    let (id, name) = (user.id.to_string(), visible(&user.username));
    if options.now {
        let document = json!({ "id": id, "username": user.username, "removed": true, "removedAfter": null });
        return options.shape.print_one(&document, || format!("Removed {name} with all that was theirs."));
    }
    let days = TimeDelta::days(config.accounts.deletion_grace_days.into());
    let until = user.deleted_at.unwrap_or_else(|| app.clock.now()) + days;
    let document = json!({ "id": id, "username": user.username, "removed": false, "removedAfter": rfc3339(until) });
    options.shape.print_one(&document, || {
        let until = moment(until);
        format!("Deleted {name}. Until {until} `cloakroom users restore {id}` brings them back.")
    })
}

fn confirm(user: &user::Model, now: bool) -> anyhow::Result<()> {
    if !stdin().is_terminal() {
        bail!("this deletes {}: say --yes if you mean it", visible(&user.username));
    }
    let how = if now { " at once, with all that is theirs" } else { "" };
    write!(stderr(), "Delete {} ({}){how}? [y/N] ", visible(&user.username), user.id)?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was deleted"),
    }
}
