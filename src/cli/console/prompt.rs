//! The console at a terminal: lines with history and completion, answers for a person.

use std::path::Path;
use std::sync::Arc;

use async_graphql::{PathSegment, ServerError, Value};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::console::complete::complete;
use crate::cli::console::input::{is_unfinished, may_hold_secret};
use crate::cli::console::names::Names;
use crate::cli::console::{Console, Then, note};
use crate::cli::say;
use crate::cli::terminal::{pretty_json, visible};
use crate::error::chain;
use crate::schema::Answer;

/// Entries in the history file.
const MAX_HISTORY: usize = 1000;

/// Reads and obeys until the end.
pub(super) fn converse(console: &mut Console, history: &Path) -> anyhow::Result<()> {
    let config = Config::builder().max_history_size(MAX_HISTORY)?.history_ignore_space(true);
    let config = config.completion_type(CompletionType::List).build();
    let mut editor: Editor<Typing, DefaultHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Typing(Arc::clone(&console.names))));
    if history.exists()
        && let Err(error) = editor.load_history(history)
    {
        note(format_args!("cannot read {}: {error}", history.display()))?;
    }
    // From here on Ctrl-C ends no more than an operation, however early it comes.
    let _interrupts = {
        let _inside = console.runtime.enter();
        signal(SignalKind::interrupt())?
    };
    say(concat!("Cloakroom ", env!("CARGO_PKG_VERSION"), ": `.help` lists the commands, Tab completes, Ctrl-D ends."))?;
    loop {
        let text = match editor.readline(&format!("{}> ", console.actor.name())) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if !may_hold_secret(&console.names, &text) && editor.add_history_entry(text.trim_end())? {
            // At once: a console that is killed has remembered what was typed.
            if let Err(error) = editor.append_history(history) {
                note(format_args!("cannot write {}: {error}", history.display()))?;
            }
        }
        match console.obey(&text, operate) {
            Ok(Then::GoOn) => {}
            Ok(Then::End) => return Ok(()),
            Err(error) => note(chain(error.as_ref()))?,
        }
    }
}

/// Runs an operation; Ctrl-C gives it up.
fn operate(console: &mut Console, document: &str) -> anyhow::Result<()> {
    let runtime = console.runtime.handle().clone();
    let answer = runtime.block_on(async {
        tokio::select! {
            answer = console.execute(document) => answer.map(Some),
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted.map(|()| None)?),
        }
    })?;
    match answer {
        Some(answer) => show(console, &answer),
        None => note("given up; it may have taken effect"),
    }
}

fn show(console: &Console, answer: &Answer) -> anyhow::Result<()> {
    if !answer.has_no_result() || answer.response.errors.is_empty() {
        say(pretty_json(&answer.response.data)?)?;
    }
    for error in &answer.response.errors {
        note(describe(error))?;
    }
    console.hint(answer.code).map_or(Ok(()), note)
}

/// Such as `FORBIDDEN at viewer.user (1:3): Only …`.
fn describe(error: &ServerError) -> String {
    let code = match error.extensions.as_ref().and_then(|extensions| extensions.get("code")) {
        Some(Value::String(code)) => code.as_str(),
        _ => "ERROR",
    };
    let segment = |segment: &PathSegment| match segment {
        PathSegment::Field(name) => name.clone(),
        PathSegment::Index(index) => index.to_string(),
    };
    let path: Vec<String> = error.path.iter().map(segment).collect();
    let path = if path.is_empty() { String::new() } else { format!(" at {}", path.join(".")) };
    let place = error.locations.first().map(|pos| format!(" ({}:{})", pos.line, pos.column)).unwrap_or_default();
    format!("{code}{path}{place}: {}", visible(&error.message))
}

/// What the line editor asks while somebody types.
struct Typing(Arc<Names>);

impl Helper for Typing {}
impl Highlighter for Typing {}

impl Hinter for Typing {
    type Hint = String;
}

impl Completer for Typing {
    type Candidate = String;

    fn complete(&self, line: &str, cursor: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete(&self.0, line, cursor))
    }
}

impl Validator for Typing {
    fn validate(&self, typed: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_unfinished(typed.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}
