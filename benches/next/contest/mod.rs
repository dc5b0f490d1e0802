//! `cargo bench --bench next -- peers`: `next` here, and what others need for the same.
//!
//! Peers are measured in groups, so that few servers sit idle beside those that are asked, and PostgreSQL's
//! connections suffice for all. Cloakroom is asked in every round of every group, under the loads that its peers are
//! asked under: each ratio is taken within a round. A peer's wrong numbers are counted and reported; Cloakroom's end
//! the run.

mod report;

use std::{fmt, time::Duration};

use anyhow::{Context, ensure};
use tokio::time::sleep;

use crate::{
    cell::{Candidate, Cell, Part, Peer, Store},
    contender::{ACCESS_TOKEN, Contender},
    databases::Databases,
    ledger::Faults,
    load,
    machine::{header, progress},
    measure::PAUSE,
    operation::Operation,
    options::Options,
    peers::{self, pgbench::Pgbench, redis::Redis},
    sample::Sample,
};

/// What is asked, and under which load.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Server(Cell),
    Redis { connections: usize },
    Pgbench { users: usize, connections: usize },
}

/// A subject, one sample a round, and what was wrong in all of them.
struct Line {
    subject: Subject,
    samples: Vec<Sample>,
    faults: Faults,
}

/// Everything of a group that has been started.
struct Started<'a> {
    ours: &'a mut [Contender],
    peers: Vec<Contender>,
    redis: Option<Redis>,
    pgbench: Option<Pgbench>,
    databases: &'a Databases,
}

const STORES: [Store; 2] = [Store::Sqlite, Store::Postgres];
const GROUPS: [&[Part]; 3] = [&[Part::Redis, Part::Pgbench], &[Part::Apollo, Part::Postgraphile], &[Part::Flask]];

/// For signing up, installing, and what is in flight when a round ends.
const MARGIN: Duration = Duration::from_secs(900);

pub(crate) async fn everything(options: &Options) -> anyhow::Result<()> {
    let groups: Vec<Vec<Subject>> = GROUPS.iter().map(|parts| group(parts, options)).collect();
    let subjects = u32::try_from(groups.iter().map(Vec::len).sum::<usize>())?;
    ensure!(subjects > 0, "nothing is left to be compared with");
    let run = subjects * (options.peers_warm_up() + (options.round() + PAUSE) * u32::try_from(options.rounds)?);
    ensure!(run + MARGIN < ACCESS_TOKEN, "that takes {run:?}, longer than an access token lives");
    progress(&format!("measuring for {run:.0?}, after installation and sign-ups"))?;
    let mut names = vec!["product"];
    names.extend(peers::DATABASES);
    let databases = Databases::create(Some(options.postgres_url()), names).await?;
    // The servers are gone when this returns, however it returns: then their databases can go too.
    let lines = lines(&groups, options, &databases).await;
    let header = header(options, databases.version().await?);
    databases.drop_all().await?;
    report::print(&header?, &lines?)
}

/// The peers of a group as far as they are wanted, and before them Cloakroom under the same loads.
fn group(parts: &[Part], options: &Options) -> Vec<Subject> {
    let wanted = parts.iter().filter(|part| options.wants(**part));
    let peers: Vec<Subject> = wanted.flat_map(|part| subjects(*part, options.users)).collect();
    let mut group = Vec::new();
    for peer in &peers {
        let (users, connections) = peer.load();
        for store in STORES {
            let candidate = Candidate::Cloakroom(store);
            let ours = Subject::Server(Cell { candidate, operation: Operation::Next, users, connections });
            if !group.contains(&ours) {
                group.push(ours);
            }
        }
    }
    group.extend(peers);
    group
}

fn subjects(part: Part, users: usize) -> Vec<Subject> {
    let server = |peer: Peer, operation: Operation, users: usize| {
        Subject::Server(Cell { candidate: Candidate::Peer(peer), operation, users, connections: 64 })
    };
    match part {
        Part::Sqlite | Part::Postgres => Vec::new(),
        Part::Redis => vec![Subject::Redis { connections: 64 }, Subject::Redis { connections: 256 }],
        Part::Pgbench => [1, users].map(|users| Subject::Pgbench { users, connections: 64 }).into(),
        Part::Apollo => [1, users].map(|users| server(Peer::Apollo, Operation::Next, users)).into(),
        Part::Postgraphile => [1, users].map(|users| server(Peer::Postgraphile, Operation::Function, users)).into(),
        Part::Flask => vec![
            server(Peer::FlaskDevelopment, Operation::Get, 1),
            server(Peer::FlaskGunicorn, Operation::Get, 1),
            server(Peer::FlaskSqlalchemy, Operation::Post, 1),
            server(Peer::FlaskSqlalchemy, Operation::Post, users),
        ],
    }
}

async fn lines(groups: &[Vec<Subject>], options: &Options, databases: &Databases) -> anyhow::Result<Vec<Vec<Line>>> {
    let mut ours = Vec::new();
    for store in STORES {
        progress(&format!("starting {}", Candidate::Cloakroom(store)))?;
        ours.push(Contender::start(Candidate::Cloakroom(store), options, databases).await?);
    }
    let mut groups_lines = Vec::new();
    for group in groups.iter().filter(|group| !group.is_empty()) {
        let mut started = Started::start(group, &mut ours, options, databases).await?;
        groups_lines.push(rounds(&mut started, group, options).await?);
    }
    Ok(groups_lines)
}

async fn rounds(started: &mut Started<'_>, group: &[Subject], options: &Options) -> anyhow::Result<Vec<Line>> {
    let line = |subject: &Subject| Line { subject: *subject, samples: Vec::new(), faults: Faults::default() };
    let mut lines: Vec<Line> = group.iter().map(line).collect();
    for line in &mut lines {
        progress(&format!("warming up {}", line.subject))?;
        let (_, faults) = started.ask(line.subject, options.peers_warm_up()).await?;
        line.faults.add(faults);
    }
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds))?;
        for line in &mut lines {
            sleep(PAUSE).await;
            let (sample, faults) = started.ask(line.subject, options.round()).await?;
            progress(&format!("{:>9.0}/s  {}", sample.requests_per_second, line.subject))?;
            line.samples.push(sample);
            line.faults.add(faults);
        }
    }
    Ok(lines)
}

impl<'a> Started<'a> {
    async fn start(
        group: &[Subject],
        ours: &'a mut [Contender],
        options: &Options,
        databases: &'a Databases,
    ) -> anyhow::Result<Self> {
        let mut started = Self { ours, peers: Vec::new(), redis: None, pgbench: None, databases };
        for subject in group {
            match subject {
                Subject::Server(Cell { candidate, .. }) => {
                    if !started.ours.iter().chain(&started.peers).any(|known| known.candidate == *candidate) {
                        progress(&format!("starting {candidate}"))?;
                        started.peers.push(Contender::start(*candidate, options, databases).await?);
                    }
                }
                Subject::Redis { .. } if started.redis.is_none() => started.redis = Some(Redis::start().await?),
                Subject::Pgbench { .. } if started.pgbench.is_none() => {
                    started.pgbench = Some(Pgbench::prepare(options.users, databases).await?);
                }
                Subject::Redis { .. } | Subject::Pgbench { .. } => {}
            }
        }
        Ok(started)
    }

    /// One round of one subject.
    async fn ask(&mut self, subject: Subject, duration: Duration) -> anyhow::Result<(Sample, Faults)> {
        match subject {
            Subject::Server(cell) => self.ask_server(&cell, duration).await,
            Subject::Redis { connections } => {
                self.redis.as_mut().context("Redis was started")?.round(connections, duration)
            }
            Subject::Pgbench { users, connections } => {
                let pgbench = self.pgbench.as_mut().context("pgbench was prepared")?;
                pgbench.round(users, connections, duration, self.databases).await
            }
        }
    }

    async fn ask_server(&mut self, cell: &Cell, duration: Duration) -> anyhow::Result<(Sample, Faults)> {
        let mut servers = self.ours.iter_mut().chain(&mut self.peers);
        let contender = servers.find(|contender| contender.candidate == cell.candidate);
        let contender = contender.context("every cell's candidate was started")?;
        let asked = load::round(contender, cell, duration).await;
        let mut round = asked.with_context(|| format!("{cell}; {}", contender.server.last_words()))?;
        let faults = contender.ledger.enter(&mut round.taken)?;
        if matches!(cell.candidate, Candidate::Cloakroom(_)) {
            faults.require_none().with_context(|| format!("WRONG NUMBERS: {cell}"))?;
        }
        Ok((round.sample(), faults))
    }
}

impl Subject {
    /// Users and connections.
    fn load(&self) -> (usize, usize) {
        match *self {
            Self::Server(Cell { users, connections, .. }) | Self::Pgbench { users, connections } => {
                (users, connections)
            }
            Self::Redis { connections } => (1, connections),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Server(cell) => cell.candidate.to_string(),
            Self::Redis { .. } => "Redis, `appendfsync always`".to_owned(),
            Self::Pgbench { .. } => "PostgreSQL, pgbench -M prepared".to_owned(),
        }
    }

    fn operation(&self) -> String {
        match self {
            Self::Server(cell) => cell.operation.to_string(),
            Self::Redis { .. } => "`INCR`".to_owned(),
            Self::Pgbench { .. } => "`UPDATE … RETURNING`".to_owned(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (users, connections) = self.load();
        write!(formatter, "{}: {}, {users} user(s), {connections} connections", self.name(), self.operation())
    }
}
