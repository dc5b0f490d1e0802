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

--repair makes missing and damaged smaller sizes again from their originals, corrects rows whose
content is what its name says, and counts quotas anew. It destroys no content: objects without a row
are moved to lost+found/ in the storage once they are an hour old, and back if a row names them
again. It moves none if they are more than 10 and more than 1 % of all objects, because the database
may be an old copy. An original that is missing or damaged cannot be made again: only a backup has it.

--delete-strays shows the number and the size of the objects without a row, in lost+found/ and
beside the photos. With --yes it deletes them. Copy what you may need first.

Examples:
  cloakroom photos check                               quickly: is everything there?
  cloakroom photos check --content                     thoroughly: is it what was stored?
  cloakroom photos check --repair
  cloakroom photos check --delete-strays --yes         after a look at lost+found/")]
pub(in crate::cli) struct Check {
    /// Put right what can be put right
    #[arg(long)]
    repair: bool,
    /// Read every content, and compare it with its SHA-256
    #[arg(long)]
    content: bool,
    /// Count the objects without a row; with --yes, delete them
    #[arg(long)]
    delete_strays: bool,
    /// Delete what --delete-strays counts
    #[arg(long, requires = "delete_strays")]
    yes: bool,
}

pub(super) async fn run(app: &App, options: &Check) -> anyhow::Result<()> {
    if !options.delete_strays {
        return check(app, options).await;
    }
    // Strays are findings: only a repair is asked for as well.
    if options.repair {
        check(app, options).await?;
    }
    delete_strays(app, options.yes).await
}

async fn check(app: &App, options: &Check) -> anyhow::Result<()> {
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

async fn delete_strays(app: &App, yes: bool) -> anyhow::Result<()> {
    let operator = Caller::operator();
    let strays = app.photos.count_strays(&operator).await.map_err(fault)?;
    let (lost, beside) = (strays.quarantined, strays.survey.strays);
    say(format_args!(
        "Objects without a row: {} ({} bytes) in lost+found/, {} ({} bytes) beside {} photo files.",
        lost.objects,
        lost.bytes,
        beside.objects,
        beside.bytes,
        strays.survey.objects - beside.objects,
    ))?;
    if strays.named > 0 {
        say(format_args!(
            "A row names {} objects in lost+found/: they stay. `cloakroom photos check --repair` moves them back.",
            strays.named
        ))?;
    }
    if let Some(reason) = strays.survey.refusal() {
        bail!("nothing was deleted: {reason}");
    }
    match lost.objects + beside.objects {
        0 => return Ok(()),
        _ if !yes => bail!("nothing was deleted: to delete them for good, say --yes"),
        _ => {}
    }
    let deleted = app.photos.delete_strays(&operator, &strays).await.map_err(fault)?;
    say(format_args!("Deleted: {} ({} bytes).", deleted.objects, deleted.bytes))?;
    match lost.objects + beside.objects - deleted.objects.min(lost.objects + beside.objects) {
        0 => Ok(()),
        left => bail!("objects that stay because they are not an hour old: {left}"),
    }
}

fn print(tally: &Tally) -> anyhow::Result<()> {
    let row = |name: &str, count: Count| {
        vec![name.to_owned(), count.seen.to_string(), count.wrong.to_string(), count.repaired.to_string()]
    };
    table::print(
        &["CHECKED", "SEEN", "WRONG", "REPAIRED"],
        [
            row("images of photos", tally.images),
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
    if tally.quarantined.objects > 0 {
        say(format_args!(
            "{} objects ({} bytes) are in lost+found/. `cloakroom photos check --delete-strays` deletes them.",
            tally.quarantined.objects, tally.quarantined.bytes
        ))?;
    }
    Ok(())
}
