//! `cloakroom users import`: users from elsewhere, a line each.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::accounts::{self, ImportLine, Imported, MAX_IMPORT_BATCH};
use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::{fault, field, line};
use crate::cli::interrupt::{Interrupt, Interrupted};
use crate::cli::table::Shape;
use crate::cli::terminal::visible;
use crate::cli::users::lines::{Line, Lines, MAX_LINE_BYTES};
use crate::cli::users::record;
use crate::error::{UserError, UserErrorCode};

/// Time without another line after which a batch is no longer waited for.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Refused lines that `--json` lists.
const MAX_LISTED: usize = 10_000;

#[derive(Args)]
#[command(after_help = "\
Each line is a JSON object and an account of its own: what is refused is told with its line, and
the others are added. Empty lines are skipped. The exit status is 1 if any was refused.

  username       to sign in with; made up if there is only an e-mail address
  email          their e-mail address
  displayName    the name to show
  password       the password, or instead of it:
  passwordHash   Argon2 (PHC), bcrypt, or PBKDF2-SHA256 as PHC, passlib, Django and Werkzeug write it;
                 the old password goes on, and at the first login its hash becomes one of ours
  role           USER (the default) or ADMIN
  emailVerified  true or false (the default)
  createdAt      when they signed up, such as 2026-11-20T12:00:00Z [default: now]

A line has at most 65,536 bytes. 200 lines are one transaction, with a pause after it for a server
beside it. Ctrl-C and SIGTERM stop after it, with the number of the next line for --from-line. The
same file can be imported again: a user who is there already, with the same username, address and
password or hash, is counted and stays as they are.

--json prints { added, alreadyThere, refusedLines, refused: [{ line, errors: [{ field?, code,
message }] }], nextLine?, dryRun }: of refused the first 10,000, and nextLine after a stop.

Examples:
  cloakroom users import --dry-run people.jsonl
  psql -Atc \"SELECT json_build_object('username', login, 'passwordHash', hash) FROM old\" \\
    | cloakroom users import -")]
pub(super) struct Import {
    /// A file of JSON lines; - is standard input
    file: PathBuf,
    /// Only say what would be refused
    #[arg(long)]
    dry_run: bool,
    /// Begin with this line, as after a stop
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    from_line: u64,
    #[command(flatten)]
    shape: Shape,
}

/// The counts so far.
struct Summary {
    added: u64,
    already_there: u64,
    refused: u64,
    /// The refused lines, for `--json`.
    listed: Vec<Value>,
    /// The first line that is not done.
    next_line: u64,
}

/// The lines that came next.
enum Batch {
    Lines(Vec<Line>),
    End,
    Interrupted(i32),
}

pub(super) async fn run(app: &App, options: &Import) -> anyhow::Result<()> {
    let mut summary =
        Summary { added: 0, already_there: 0, refused: 0, listed: Vec::new(), next_line: options.from_line };
    // What was added before a fault stays: it is told in any case.
    let outcome = each_batch(app, options, &mut summary).await;
    let stopped = outcome.is_err().then_some(summary.next_line);
    let document = json!({
        "added": summary.added,
        "alreadyThere": summary.already_there,
        "refusedLines": summary.refused,
        "refused": summary.listed,
        "nextLine": stopped,
        "dryRun": options.dry_run,
    });
    options.shape.print_one(&document, || summary.text(options.dry_run))?;
    outcome?;
    match summary.refused {
        0 => Ok(()),
        1 => bail!("a line was refused"),
        refused => bail!("{refused} lines were refused"),
    }
}

async fn each_batch(app: &App, options: &Import, summary: &mut Summary) -> anyhow::Result<()> {
    let mut interrupt = Interrupt::install()?;
    let mut lines = Lines::open(&options.file, options.from_line)?;
    let bar = progress_bar(lines.file_bytes)?;
    let mut import = if options.dry_run { accounts::Import::dry_run() } else { accounts::Import::default() };
    let to_go_on = |next: u64| {
        let file = options.file.to_string_lossy();
        format!("to go on: cloakroom users import {} --from-line {next}", visible(&file))
    };
    let stopped_before = |next: u64| format!("stopped before line {next}; {}", to_go_on(next));
    let outcome = loop {
        let batch = match next_batch(&mut lines, &mut interrupt).await {
            Ok(Batch::Lines(batch)) => batch,
            Ok(Batch::End) => break Ok(()),
            Ok(Batch::Interrupted(code)) => break Err(Interrupted::new(code, to_go_on(summary.next_line)).into()),
            Err(error) => break Err(error.context(stopped_before(summary.next_line))),
        };
        let Some((next_line, end)) = batch.last().map(|last| (last.number.saturating_add(1), last.end)) else {
            continue;
        };
        let batch = batch.iter().map(read_record).collect();
        let outcomes = match app.accounts.import(&Caller::operator(), &mut import, batch).await {
            Ok(outcomes) => outcomes,
            Err(error) => break Err(fault(error).context(stopped_before(summary.next_line))),
        };
        bar.suspend(|| summary.count(&outcomes, options.shape.json))?;
        summary.next_line = next_line;
        bar.set_position(end);
        bar.set_message(next_line.saturating_sub(1).to_string());
    };
    bar.finish_and_clear();
    if options.dry_run && import.has_forgotten() {
        writeln!(stderr(), "Lines far apart were not compared with each other: there are too many.")?;
    }
    outcome
}

/// Waits for the next lines, and for a signal.
async fn next_batch(lines: &mut Lines, interrupt: &mut Interrupt) -> anyhow::Result<Batch> {
    let mut batch = Vec::new();
    loop {
        if let Some(code) = interrupt.exit_code() {
            return Ok(Batch::Interrupted(code));
        }
        if batch.len() >= MAX_IMPORT_BATCH {
            return Ok(Batch::Lines(batch));
        }
        tokio::select! {
            () = interrupt.requested() => {}
            received = lines.received.recv() => match received {
                Some(line) => batch.push(line.context("cannot read the file")?),
                None if batch.is_empty() => return Ok(Batch::End),
                None => return Ok(Batch::Lines(batch)),
            },
            () = tokio::time::sleep(MAX_WAIT), if !batch.is_empty() => return Ok(Batch::Lines(batch)),
        }
    }
}

fn read_record(line: &Line) -> ImportLine {
    let user = match &line.text {
        Some(text) => record::read(text),
        None => {
            let message = format!("A line has at most {MAX_LINE_BYTES} bytes.");
            Err(vec![UserError { code: UserErrorCode::TooLong, field: None, message }])
        }
    };
    ImportLine { number: line.number, user }
}

/// A bar for a terminal, and nothing elsewhere.
fn progress_bar(file_bytes: Option<u64>) -> anyhow::Result<ProgressBar> {
    if !stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let (bar, template) = match file_bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {percent} %, {eta} left, up to line {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} up to line {msg}"),
    };
    bar.set_style(ProgressStyle::with_template(template)?);
    Ok(bar)
}

impl Summary {
    fn text(&self, is_dry_run: bool) -> String {
        let Self { added, already_there, refused, .. } = self;
        let would = if is_dry_run { "would be " } else { "" };
        let already_there = match already_there {
            0 => String::new(),
            already_there => format!(" {already_there} already there,"),
        };
        format!("{added} {would}added,{already_there} {refused} {would}refused.")
    }

    fn count(&mut self, outcomes: &[(u64, Imported)], is_listed: bool) -> anyhow::Result<()> {
        for (number, outcome) in outcomes {
            match outcome {
                Imported::Added => self.added += 1,
                Imported::AlreadyThere => self.already_there += 1,
                Imported::Refused(faults) => self.refuse(*number, faults, is_listed)?,
            }
        }
        Ok(())
    }

    fn refuse(&mut self, number: u64, faults: &[UserError], is_listed: bool) -> anyhow::Result<()> {
        self.refused += 1;
        for fault in faults {
            writeln!(stderr(), "line {number}: {}", line(fault))?;
        }
        if is_listed && self.listed.len() < MAX_LISTED {
            let errors = faults
                .iter()
                .map(|fault| json!({ "field": field(fault), "code": fault.code.name(), "message": fault.message }));
            self.listed.push(json!({ "line": number, "errors": errors.collect::<Vec<_>>() }));
        }
        Ok(())
    }
}
