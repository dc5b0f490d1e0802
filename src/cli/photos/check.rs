//! `cloakroom photos check`.

use anyhow::bail;
use clap::Args;

use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::terminal::visible;
use crate::cli::{say, table};
use crate::photos::check::{Count, Finding, Options, Outcome, Tally};

#[derive(Args)]
#[command(after_help = "\
Servers may go on meanwhile: an upload or a deletion under way is nothing that is found. Each finding
is one line, what was looked at a table below. The exit code is 1 if anything is wrong, or still is
after --repair.

--repair makes smaller sizes again from their originals, removes what is stored without a row (once
it is an hour old) and what crashes left behind, and counts quotas anew. What it cannot make again
is an original that is missing or damaged: only a backup has it.

Examples:
  cloakroom photos check                               quickly: is everything there?
  cloakroom photos check --content                     thoroughly: is it what was stored?
  cloakroom photos check --repair")]
pub(in crate::cli) struct Check {
    /// Put right what can be put right
    #[arg(long)]
    repair: bool,
    /// Read every content, and compare it with its SHA-256
    #[arg(long)]
    content: bool,
}

pub(super) async fn run(app: &App, options: &Check) -> anyhow::Result<()> {
    let mut told = Ok(());
    let options = Options { repair: options.repair, content: options.content };
    let tell = |finding: &Finding, outcome: &Outcome| {
        let line = finding.to_string();
        let line = visible(&line);
        let said = match outcome {
            Outcome::Told => say(line),
            Outcome::Repaired => say(format_args!("{line} (repaired)")),
            Outcome::Left(why) => say(format_args!("{line} (not repaired: {})", visible(why))),
        };
        if told.is_ok() {
            told = said;
        }
    };
    let tally = app.photos.check(&Caller::operator(), options, tell).await.map_err(fault)?;
    told?;
    print(&tally)?;
    match tally.left() {
        0 => Ok(()),
        left if options.repair => bail!("findings that could not be repaired: {left}"),
        left => bail!("findings: {left}; `cloakroom photos check --repair` puts right what can be put right"),
    }
}

fn print(tally: &Tally) -> anyhow::Result<()> {
    let row = |name: &str, count: Count| {
        vec![name.to_owned(), count.seen.to_string(), count.wrong.to_string(), count.repaired.to_string()]
    };
    table::print(
        &["CHECKED", "SEEN", "WRONG", "REPAIRED"],
        [
            row("rows of contents", tally.contents),
            row("stored objects", tally.objects),
            row("unfinished files", tally.unfinished),
            row("quotas of users", tally.quotas),
        ],
    )?;
    if tally.waiting > 0 {
        say(format_args!("{} contents that nobody shows wait for the sweep.", tally.waiting))?;
    }
    if tally.foreign > 0 {
        say(format_args!("{} objects have names of another kind; they were left alone.", tally.foreign))?;
    }
    Ok(())
}
