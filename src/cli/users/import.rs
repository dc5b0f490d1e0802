//! `cloakroom users import`: users from elsewhere, a line each.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _, stderr, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::accounts::Rehearsal;
use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::{fault, field, line};
use crate::cli::table::Shape;
use crate::cli::users::record;
use crate::error::{Error, UserError};

#[derive(Args)]
#[command(after_help = "\
Each line is a JSON object and an account of its own: what is refused is told with its line, and
the others are added. Empty lines are skipped. The exit status is 1 if any was refused.

  username       to sign in with; made up if there is only an e-mail address
  email          their e-mail address
  name           to show
  password       the password, or instead of it:
  passwordHash   Argon2 (PHC), bcrypt, or PBKDF2-SHA256 as PHC, passlib, Django and Werkzeug write it;
                 the old password goes on, and at the first login its hash becomes one of ours
  role           USER (the default) or ADMIN
  emailVerified  true or false (the default)
  createdAt      when they signed up, such as 2026-11-20T12:00:00Z [default: now]

--json prints { added, refused: [{ line, errors: [{ field?, code, message }] }], dryRun }.

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
    #[command(flatten)]
    shape: Shape,
}

/// How it went.
#[derive(Default)]
struct Summary {
    added: usize,
    refused: Vec<Value>,
}

pub(super) async fn run(app: &App, options: &Import) -> anyhow::Result<()> {
    let mut summary = Summary::default();
    // What was added before a fault stays: it is told in any case.
    let outcome = each_line(app, options, &mut summary).await;
    let Summary { added, refused } = &summary;
    let document = json!({ "added": added, "refused": refused, "dryRun": options.dry_run });
    options.shape.print_one(&document, || {
        let would = if options.dry_run { "would be " } else { "" };
        format!("{added} {would}added, {} {would}refused.", refused.len())
    })?;
    outcome?;
    match refused.len() {
        0 => Ok(()),
        1 => bail!("a line was refused"),
        refused => bail!("{refused} lines were refused"),
    }
}

async fn each_line(app: &App, options: &Import, summary: &mut Summary) -> anyhow::Result<()> {
    let mut reader = open(&options.file)?;
    let mut rehearsal = options.dry_run.then(Rehearsal::default);
    let mut text = Zeroizing::new(Vec::new());
    for number in 1_usize.. {
        text.clear();
        if reader.read_until(b'\n', &mut text).context("cannot read the file")? == 0 {
            break;
        }
        // Some programs begin a file with a byte order mark.
        let bytes = text.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 1).unwrap_or(&text).trim_ascii();
        if bytes.is_empty() {
            continue;
        }
        match add(app, bytes, rehearsal.as_mut()).await {
            Ok(()) => summary.added += 1,
            Err(Error::Invalid(faults)) => summary.refuse(number, &faults)?,
            Err(error) => return Err(fault(error)).with_context(|| format!("stopped before line {number}")),
        }
    }
    Ok(())
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

async fn add(app: &App, line: &[u8], rehearsal: Option<&mut Rehearsal>) -> Result<(), Error> {
    let input = record::read(line).map_err(Error::Invalid)?;
    let operator = Caller::operator();
    match rehearsal {
        Some(rehearsal) => app.accounts.rehearse_user(&operator, rehearsal, &input).await,
        None => app.accounts.add_user(&operator, input).await.map(drop),
    }
}

impl Summary {
    fn refuse(&mut self, number: usize, faults: &[UserError]) -> anyhow::Result<()> {
        for fault in faults {
            writeln!(stderr(), "line {number}: {}", line(fault))?;
        }
        let errors = faults
            .iter()
            .map(|fault| json!({ "field": field(fault), "code": fault.code.name(), "message": fault.message }));
        self.refused.push(json!({ "line": number, "errors": errors.collect::<Vec<_>>() }));
        Ok(())
    }
}
