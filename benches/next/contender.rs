//! A candidate that has been started: its server, its users' tokens, and the ledger of its numbers.

use std::{env, process::Command, time::Duration};

use anyhow::Context;
use clap::ValueEnum;

use crate::{
    accounts,
    cell::{Candidate, Store},
    databases::Databases,
    ledger::Ledger,
    operation::Operation,
    options::Options,
    peers,
    references::Reference,
    server::Server,
};

pub(crate) struct Contender {
    pub(crate) candidate: Candidate,
    pub(crate) server: Server,
    pub(crate) ledger: Ledger,
    tokens: Vec<String>,
}

/// The longest that the product allows; a run that takes longer is refused before it starts.
pub(crate) const ACCESS_TOKEN: Duration = Duration::from_secs(3600);

impl Contender {
    pub(crate) async fn start(candidate: Candidate, options: &Options, databases: &Databases) -> anyhow::Result<Self> {
        let server = server(candidate, options, databases).await.with_context(|| format!("starting {candidate}"))?;
        let tokens = match candidate {
            Candidate::Cloakroom(_) => accounts::sign_up(&server, options.users)
                .await
                .with_context(|| format!("signing up on {candidate}; {}", server.last_words()))?,
            Candidate::Peer(_) => (0..options.users).map(peers::token).collect(),
            // A reference believes whoever names a user.
            _ => (0..options.users).map(|user| user.to_string()).collect(),
        };
        Ok(Self { candidate, server, ledger: Ledger::new(options.users), tokens })
    }

    /// The product on SQLite with so many threads for passwords; 0 is its default.
    pub(crate) async fn with_password_threads(threads: usize, users: usize) -> anyhow::Result<Self> {
        let mut command = cloakroom();
        command.env("CLOAKROOM__ACCOUNTS__PASSWORD_THREADS", threads.to_string());
        let server = Server::start(command).await?;
        let tokens = accounts::sign_up(&server, users).await.with_context(|| server.last_words())?;
        Ok(Self { candidate: Candidate::Cloakroom(Store::Sqlite), server, ledger: Ledger::new(users), tokens })
    }

    /// One prepared request for each of the first `users` users.
    pub(crate) fn requests(&self, operation: Operation, users: usize) -> Vec<Vec<u8>> {
        self.tokens.iter().take(users).map(|token| operation.request(self.server.address, token)).collect()
    }
}

async fn server(candidate: Candidate, options: &Options, databases: &Databases) -> anyhow::Result<Server> {
    let command = match candidate {
        Candidate::Hello => reference(Reference::Hello, options)?,
        Candidate::Memory => reference(Reference::Memory, options)?,
        Candidate::Naive(Store::Sqlite) => reference(Reference::Naive, options)?,
        Candidate::Naive(Store::Postgres) => {
            let mut command = reference(Reference::Naive, options)?;
            command.args(["--database", &databases.url_of("naive")?]);
            command
        }
        Candidate::Cloakroom(store) => {
            let mut command = cloakroom();
            if store == Store::Postgres {
                command.args(["--database", &databases.url_of("product")?, "--migrate"]);
            }
            command
        }
        Candidate::Peer(peer) => return peers::start(peer, options.users, databases).await,
    };
    Server::start(command).await
}

/// The product with its defaults, not what whoever measures has set for other servers.
pub(crate) fn cloakroom() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CLOAKROOM")) {
        command.env_remove(name);
    }
    command.env("CLOAKROOM__ACCOUNTS__ACCESS_TOKEN_SECONDS", ACCESS_TOKEN.as_secs().to_string());
    // One account and one address are asked for more than anybody may ask.
    for bucket in ["LOGIN_PER_ACCOUNT", "LOGIN_FROM_KNOWN_ADDRESS", "LOGIN_PER_ADDRESS", "SIGN_UP_PER_ADDRESS"] {
        command.env(format!("CLOAKROOM__LIMITS__{bucket}__BURST"), "0");
    }
    command
}

fn reference(reference: Reference, options: &Options) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    let name = reference.to_possible_value().context("every reference can be named")?;
    command.args(["--reference", name.get_name(), "--users", &options.users.to_string()]);
    Ok(command)
}
