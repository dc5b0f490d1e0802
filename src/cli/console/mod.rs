//! `cloakroom console`: GraphQL at the command line, acting as any user.
//!
//! It opens the same database as the server, beside it or without it, and runs operations in process: no token, no
//! network, and the same verbs, limits and errors. At a terminal it is a prompt ([`prompt`]) that completes the
//! schema's names ([`complete`]); from a pipe, or with `--execute`, it runs what it is given and ends.
//!
//! **Invariant:** it acts as the user with the rights that the user has at that moment, and as nobody with none.
//! **Invariant:** nothing that may hold a secret is written to the history file: see [`input::may_hold_secret`].

mod actor;
mod complete;
mod input;
mod names;
mod prompt;
mod script;
mod tokens;
mod walk;

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use async_graphql::Variables;
use clap::Args;
use tokio::runtime::Runtime;

use crate::app::App;
use crate::cli::terminal::{pretty_json, visible};
use crate::cli::{create_data_dir, log, open, runtime, say, table};
use crate::config::Config;
use crate::error::ErrorCode;
use crate::schema::{Answer, Schema, types_sdl};
use crate::upload::Uploads;

use actor::Actor;
use input::{COMMANDS, Input};
use names::Names;

#[derive(Args)]
#[command(after_help = "\
At a terminal: a prompt with history and completion (Tab); `.help` lists its commands.
From a pipe: one operation, or several with blank lines between them, each answered in JSON;
the exit status is 1 if any answer has `errors`. A selection from queries needs no brackets.
What may hold a password or token is not kept in the history, <data-dir>/console_history.
Secrets belong in a pipe: everybody on the machine can see the arguments of a command.

Examples:
  cloakroom console --as anna                          anna> viewer { user { username } }
  cloakroom console --as anna -e 'mutation { next { value } }'
  cloakroom console -e 'user(username: \"anna\") { id }' --as usr_0199f3d2c1a47c0e8d2f6a5b4c3d2e1f
  cloakroom console --as anna < operations.graphql | jq .data
  cloakroom console -e '.schema User'                  the definition of a type")]
pub(super) struct Options {
    /// Act as this user: a username, an e-mail address or an id [default: nobody]
    #[arg(long = "as", value_name = "USER")]
    acting_as: Option<String>,
    /// Run this and end
    #[arg(short, long, value_name = "QUERY")]
    execute: Option<String>,
    /// Variables of the first operation
    #[arg(long, value_name = "JSON")]
    vars: Option<String>,
}

pub(super) fn run(mut config: Config, options: &Options) -> anyhow::Result<()> {
    log::start_on_stderr()?;
    // From whoever can open the database, no schema is hidden.
    config.graphql.introspection = true;
    create_data_dir(&config.server.data_dir)?;
    let mut console = Console::open(&config)?;
    let outcome = console.begin(options).and_then(|()| match &options.execute {
        Some(text) => script::run(&mut console, text.as_bytes()),
        None if std::io::stdin().is_terminal() => {
            prompt::converse(&mut console, &config.server.data_dir.join("console_history"))
        }
        None => script::run(&mut console, std::io::stdin().lock()),
    });
    console.close();
    outcome
}

/// An open console.
struct Console {
    runtime: Runtime,
    app: Arc<App>,
    schema: Schema,
    names: Arc<Names>,
    actor: Actor,
    variables: Variables,
    /// How many operations were run: the number of a request in a bug's report.
    operations: u64,
}

/// Whether the console goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

impl Console {
    fn open(config: &Config) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let app = Arc::new(runtime.block_on(open(config))?);
        Ok(Self {
            schema: Schema::new(Arc::clone(&app), config),
            names: Arc::new(Names::read(&types_sdl())?),
            runtime,
            app,
            actor: Actor::Nobody,
            variables: Variables::default(),
            operations: 0,
        })
    }

    fn begin(&mut self, options: &Options) -> anyhow::Result<()> {
        if let Some(who) = &options.acting_as {
            (self.actor, _) = self.runtime.block_on(Actor::find(&self.app.accounts, who))?;
        }
        options.vars.as_deref().map_or(Ok(()), |json| self.set_variables(json))
    }

    fn close(self) {
        self.runtime.block_on(self.app.stop());
    }

    /// Does what is no operation, and hands an operation to `operate`.
    fn obey(
        &mut self,
        text: &str,
        operate: impl FnOnce(&mut Self, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Then> {
        match input::read(text) {
            Input::Nothing => {}
            Input::Exit => return Ok(Then::End),
            Input::Help => table::print(&["COMMAND", "TAKES", "DOES"], COMMANDS.iter().map(help))?,
            Input::ActAs(None) => self.actor = Actor::Nobody,
            Input::ActAs(Some(who)) => {
                let (actor, told) = self.runtime.block_on(Actor::find(&self.app.accounts, who))?;
                self.actor = actor;
                note(format_args!("acting as {told}"))?;
            }
            Input::Schema(name) => self.show(name)?,
            Input::Variables(json) => self.set_variables(json)?,
            Input::Unknown(command) => bail!("there is no {}: `.help` lists the commands", visible(command)),
            Input::Operation(document) => operate(self, &document)?,
        }
        Ok(Then::GoOn)
    }

    /// Runs an operation as whoever acts; the variables are used up by it.
    async fn execute(&mut self, document: &str) -> anyhow::Result<Answer> {
        self.operations += 1;
        let variables = std::mem::take(&mut self.variables);
        let operation = match self.schema.prepare(document, None) {
            Ok(operation) => operation,
            Err(answer) => return Ok(*answer),
        };
        let caller = self.actor.caller(&self.app.accounts).await?;
        let id = format_args!("console-{}", self.operations);
        Ok(self.schema.execute(operation, variables, caller, Uploads::default(), id).await)
    }

    fn set_variables(&mut self, json: &str) -> anyhow::Result<()> {
        // Without the text: it may be a secret.
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).context("variables are a JSON object, such as {\"id\": 1}")?;
        self.variables = Variables::from_json(object.into());
        Ok(())
    }

    fn show(&self, name: Option<&str>) -> anyhow::Result<()> {
        let Some(name) = name else {
            let rows = self.names.types.iter().map(|(name, of)| vec![name.clone(), of.kind.into(), of.summary.clone()]);
            return table::print(&["TYPE", "KIND", "MEANING"], rows);
        };
        match self.names.types.get(name) {
            Some(of) => say(&of.sdl),
            None => bail!("there is no type {}: `.schema` lists them", visible(name)),
        }
    }

    /// What would help somebody who reads this error.
    fn hint(&self, code: Option<ErrorCode>) -> Option<&'static str> {
        let signed_out = code == Some(ErrorCode::Unauthenticated) && matches!(self.actor, Actor::Nobody);
        signed_out.then_some("`.as USER` acts as somebody.")
    }
}

fn help(command: &input::Command) -> Vec<String> {
    vec![command.name.to_owned(), command.takes.to_owned(), command.does.to_owned()]
}

/// An answer as a server would send it.
fn whole(answer: &Answer) -> anyhow::Result<String> {
    let mut body = serde_json::Map::new();
    if !answer.response.errors.is_empty() {
        body.insert("errors".to_owned(), serde_json::to_value(&answer.response.errors)?);
    }
    if !answer.refused {
        body.insert("data".to_owned(), answer.response.data.clone().into_json()?);
    }
    pretty_json(&body)
}

/// Tells the person at the terminal something that is no answer.
fn note(line: impl std::fmt::Display) -> anyhow::Result<()> {
    use std::io::Write as _;
    Ok(writeln!(std::io::stderr(), "{line}")?)
}
