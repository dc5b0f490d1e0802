//! `cloakroom photos rebuild`.

use std::io::{IsTerminal as _, Write as _};
use std::pin::pin;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::say;
use crate::cli::terminal::visible;
use crate::id::PhotoId;
use crate::photos::rebuild::Rebuilt;

/// Photos between two lines, where no terminal shows a bar.
const LINE_EVERY: u64 = 1000;
/// Failures that are listed.
const LISTED: usize = 1000;

#[derive(Args)]
#[command(after_help = "\
Servers may go on meanwhile. Each photo is a step by itself, so it can be stopped at any time and run
again; it says how to go on where it was stopped. Photos whose original is missing or damaged stay as
they are, are listed at the end, and make the exit code 1.

Example:
  cloakroom photos rebuild")]
pub(in crate::cli) struct Rebuild {
    /// Go on behind this photo
    #[arg(long, value_name = "PHOTO_ID")]
    after: Option<String>,
}

pub(super) async fn run(app: &App, options: &Rebuild) -> anyhow::Result<()> {
    let after = options.after.as_deref().map(|text| PhotoId::parse(text).context("--after: this is no photo's id"));
    let mut last = after.transpose()?;
    let operator = Caller::operator();
    let all = app.photos.count_all(&operator, last).await.map_err(fault)?;
    let mut rebuilt = pin!(app.photos.rebuild(&operator, last).map_err(fault)?);
    let (mut progress, mut failures) = (Progress::start(all)?, Vec::new());
    let mut stopped = pin!(tokio::signal::ctrl_c());
    let cut_off = loop {
        let next = tokio::select! {
            next = rebuilt.next() => next,
            _ = &mut stopped => break Some(anyhow!("stopped")),
        };
        let (photo, outcome) = match next {
            Some(Ok(told)) => told,
            Some(Err(error)) => break Some(fault(error)),
            None => break None,
        };
        last = Some(photo);
        let outcome = outcome.map_err(|failure| {
            if failures.len() < LISTED {
                failures.push(format!("photo {photo}: {failure}"));
            }
        });
        progress.tell(photo, outcome.ok())?;
    };
    progress.end(&failures)?;
    match (cut_off, progress.failed) {
        (Some(why), _) => bail!("{why:#}; to go on: cloakroom photos rebuild{}", behind(last)),
        (None, 0) => Ok(()),
        (None, failed) => bail!("photos that are as they were: {failed}"),
    }
}

fn behind(last: Option<PhotoId>) -> String {
    last.map_or(String::new(), |last| format!(" --after {last}"))
}

/// How far it is: a bar on a terminal, and lines where standard error goes elsewhere.
struct Progress {
    bar: ProgressBar,
    lines: bool,
    all: u64,
    done: u64,
    gone: u64,
    failed: u64,
}

impl Progress {
    fn start(all: u64) -> anyhow::Result<Self> {
        let lines = !std::io::stderr().is_terminal();
        let bar = if lines { ProgressBar::hidden() } else { ProgressBar::new(all) };
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} photos, {eta} left, up to {msg}")?);
        Ok(Self { bar, lines, all, done: 0, gone: 0, failed: 0 })
    }

    fn tell(&mut self, photo: PhotoId, outcome: Option<Rebuilt>) -> std::io::Result<()> {
        match outcome {
            Some(Rebuilt::Done) => self.done += 1,
            Some(Rebuilt::Gone) => self.gone += 1,
            None => self.failed += 1,
        }
        self.bar.inc(1);
        self.bar.set_message(photo.to_string());
        let told = self.bar.position();
        if self.lines && told.is_multiple_of(LINE_EVERY) {
            writeln!(std::io::stderr(), "{told} of {} photos, up to {photo}", self.all)?;
        }
        Ok(())
    }

    /// The terminal is for what comes next: what failed, and how it ended.
    fn end(&self, failures: &[String]) -> anyhow::Result<()> {
        self.bar.finish_and_clear();
        for failure in failures {
            say(visible(failure))?;
        }
        say(format_args!("rebuilt: {}; deleted meanwhile: {}; failed: {}", self.done, self.gone, self.failed))
    }
}
