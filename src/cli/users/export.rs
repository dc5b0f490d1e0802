//! `cloakroom users export`: a person's own copy of what is kept of them (GDPR, articles 15 and 20).

use std::io::{self, BufWriter, Write, stderr, stdout};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use futures_util::StreamExt as _;

use crate::accounts::export::{Content, Export as Document, Files, Items};
use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::terminal::{pretty_json, visible};
use crate::cli::users::{account, require};

#[derive(Args)]
#[command(after_help = format!("\
It has no hashes of secrets and no tokens, and of others at most the id of an administrator who did
something to the account. Besides the user there are:

  sessions, apiKeys
  events              the audit log
  acts                done by the user, as an administrator, to the accounts of others
  links, mails        what is under way to their address
  idempotencyRecords, counterRecords
                      results that are kept for retries, for a day
  counters
  storage             the bytes that are used
  photos              drafts and published ones: caption, tags, times, and each image with its size and
                      a link, which expires; with --files also the name of the original's file

{}

--files writes the originals into DIR, as ID.jpg, .png, .webp or .gif. It overwrites nothing: run it
again to go on after an interruption. An original that is missing or damaged is told, and makes the
exit code 1; the export goes on without it.

Examples:
  cloakroom users export anna > anna.json
  cloakroom users export anna --files anna-photos > anna.json", account::SHAPE))]
pub(super) struct Export {
    /// Username, e-mail address or id
    who: String,
    /// Write the originals of the photos into this folder, too
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
}

pub(super) async fn run(app: &App, options: &Export) -> anyhow::Result<()> {
    let user = require(app, &options.who).await?;
    let files = options.files.as_deref().map(Files::open).transpose()?.map(Arc::new);
    let document = app.export_user(&Caller::operator(), user.id, files.clone()).await.map_err(fault)?;
    let written = write(document, BufWriter::new(stdout().lock())).await;
    if let Some(files) = &files {
        tell(files)?;
    }
    match written {
        // `cloakroom users export anna | head` is no failure.
        Err(error) if is_broken_pipe(&error) => return Ok(()),
        Err(error) if files.is_some() => {
            return Err(error.context("the export is not complete; run it again with the same folder to go on"));
        }
        written => written?,
    }
    match files.map_or(0, |files| files.counts().2) {
        0 => Ok(()),
        1 => bail!("a file was not written"),
        failed => bail!("{failed} files were not written"),
    }
}

fn tell(files: &Files) -> io::Result<()> {
    let mut output = stderr();
    for fault in files.faults() {
        writeln!(output, "{}", visible(&fault))?;
    }
    let (written, already_there, failed) = files.counts();
    writeln!(output, "files written: {written}; already there: {already_there}; failed: {failed}")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes the document while it is read, as [`pretty_json`] would.
async fn write(document: Document<'_>, mut output: impl Write) -> anyhow::Result<()> {
    let mut separator = "{";
    for (name, value) in &document.user {
        write!(output, "{separator}\n  {}: {}", pretty_json(name)?, indented(value, 1)?)?;
        separator = ",";
    }
    for section in document.sections {
        write!(output, "{separator}\n  {}: ", pretty_json(&section.name)?)?;
        match section.content {
            Content::Value(value) => write!(output, "{}", indented(&value.await.map_err(fault)?, 1)?)?,
            Content::List(items) => write_list(items, &mut output).await?,
        }
        separator = ",";
    }
    writeln!(output, "\n}}")?;
    Ok(output.flush()?)
}

async fn write_list(mut items: Items<'_>, output: &mut impl Write) -> anyhow::Result<()> {
    let mut separator = "[";
    while let Some(item) = items.next().await {
        write!(output, "{separator}\n    {}", indented(&item.map_err(fault)?, 2)?)?;
        separator = ",";
    }
    let end = if separator == "[" { "[]" } else { "\n  ]" };
    Ok(write!(output, "{end}")?)
}

/// Pretty JSON behind `levels` of indentation. No string in it has a line break.
fn indented(value: &serde_json::Value, levels: usize) -> anyhow::Result<String> {
    Ok(pretty_json(value)?.replace('\n', &format!("\n{}", "  ".repeat(levels))))
}
