//! `cloakroom counters advance`.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::say;
use crate::cli::table::Shape;
use crate::cli::terminal::{pretty_json, visible};
use crate::cli::users;
use crate::counters::{self, Advanced, Which};
use crate::error::Error;

#[derive(Args)]
#[command(after_help = "\
WHO is a username, an e-mail address or an id. Without COUNTER, every counter of that user advances.
A counter is never lowered, and never goes past its upper bound. Integers that are skipped are never
given. A running server continues from the new integer at once; the owner's audit log says
COUNTER_ADVANCED.

After a restore, counters continue where the backup was taken: they give integers again that were
taken later. Advance them by at least as many steps as any counter took since then.

Examples:
  cloakroom counters advance anna invoices:2026 --to 5000
  cloakroom counters advance anna --by 100
  cloakroom counters advance --all --by 1000 --yes")]
pub(in crate::cli) struct Advance {
    /// The owner: username, e-mail address or id
    #[arg(conflicts_with = "all")]
    who: Option<String>,
    /// The counter's name
    #[arg(requires = "who")]
    counter: Option<String>,
    /// Advance every counter of every user
    #[arg(long)]
    all: bool,
    /// Advance by N steps; a counter of step 10 advances by 10 times N
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        required_unless_present = "to",
        conflicts_with = "to"
    )]
    by: Option<i64>,
    /// Advance to the integer N; `next` then gives the one after it
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    to: Option<i64>,
    /// Do not ask before advancing all
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    shape: Shape,
}

pub(super) async fn run(app: &App, options: &Advance) -> anyhow::Result<()> {
    let distance = match (options.by, options.to) {
        (Some(steps), _) => counters::Advance::By(steps),
        (None, Some(integer)) => counters::Advance::To(integer),
        (None, None) => bail!("say --by or --to"),
    };
    distance.check().map_err(fault)?;
    let which = match (&options.who, &options.counter) {
        (None, _) if options.all => Which::All,
        (None, _) => bail!("say whose counters to advance: WHO, or --all"),
        (Some(who), None) => Which::User(users::require(app, who).await?.id),
        (Some(who), Some(counter)) => Which::One(users::require(app, who).await?.id, counter.clone()),
    };
    if matches!(which, Which::All) && !options.yes {
        confirm()?;
    }
    let mut lines = Lines { json: options.shape.json, first: true, outcome: Ok(()) };
    let advanced = app.counters.advance(&Caller::operator(), &which, distance, |counter| lines.add(counter)).await;
    if advanced.is_ok() || !lines.first {
        lines.end()?;
    }
    advanced.map_err(|error| match (error, &options.counter) {
        (Error::NotFound(_), Some(name)) => anyhow::anyhow!("there is no counter {} of this user", visible(name)),
        (error, _) => fault(error),
    })
}

fn confirm() -> anyhow::Result<()> {
    if !stdin().is_terminal() {
        bail!("this advances every counter of every user: say --yes if you mean it");
    }
    write!(stderr(), "Advance every counter of every user? [y/N] ")?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was changed"),
    }
}

/// One counter a line, or an array in JSON. There may be many, so none is kept.
struct Lines {
    json: bool,
    first: bool,
    outcome: anyhow::Result<()>,
}

impl Lines {
    fn add(&mut self, counter: &Advanced) {
        let line = if self.json { self.document(counter) } else { Ok(text(counter)) };
        self.first = false;
        if self.outcome.is_ok() {
            self.outcome = line.and_then(say);
        }
    }

    fn document(&self, counter: &Advanced) -> anyhow::Result<String> {
        let document = json!({
            "id": counter.id.to_string(),
            "username": counter.username,
            "counter": counter.name,
            "previous": counter.previous,
            "current": counter.current,
            "max": counter.max,
            "stoppedAtMax": counter.is_cut,
        });
        Ok(format!("{}{}", if self.first { "[\n" } else { "," }, pretty_json(&document)?))
    }

    fn end(self) -> anyhow::Result<()> {
        self.outcome?;
        match (self.json, self.first) {
            (true, true) => say("[]"),
            (true, false) => say("]"),
            (false, true) => say("There are no counters."),
            (false, false) => Ok(()),
        }
    }
}

fn text(counter: &Advanced) -> String {
    let Advanced { username, name, previous, current, max, .. } = counter;
    let (username, name) = (visible(username), visible(name));
    let stopped = if counter.is_cut { format!(", stopped at its upper bound {max}") } else { String::new() };
    match previous == current {
        true => format!("{username} {name}: {current}, unchanged{stopped}"),
        false => format!("{username} {name}: {previous} -> {current}{stopped}"),
    }
}
