//! `cargo bench --bench next -- login`: what passwords cost, and what they leave of `next`.
//!
//! Within each round: the bare hash, on one core and on all of them; logins through the API on servers with one
//! password thread and with one a core; and `next` of others on a server with its default settings, alone and
//! beside a flood of logins.

use std::{
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::{task::LocalSet, time::sleep};

use crate::{
    contender::Contender,
    flood::{self, CONNECTIONS, Flood, Who},
    load,
    machine::{header, progress},
    measure::{PAUSE, Sample, sample},
    operation::Operation,
    options::Options,
    plan::{Candidate, Cell, Store},
    report::Spread,
};

/// What one round showed, a second.
struct Round {
    hashes: f64,
    hashes_on_all_cores: f64,
    logins_of_one_thread: f64,
    logins_of_all_cores: f64,
    next: Sample,
    next_in_flood: Sample,
    logins_in_flood: f64,
}

/// The servers, by `accounts.password_threads`.
struct Servers {
    one_thread: Contender,
    all_cores: Contender,
    default: Contender,
}

/// Until all connections of a flood have their place in the queue.
const FLOODED: Duration = Duration::from_millis(300);

/// Of these the other users are; a token for each must be had first.
const USERS: usize = 100;

pub(crate) async fn everything(options: &Options) -> anyhow::Result<()> {
    let cores = thread::available_parallelism()?.get();
    let users = options.users.min(USERS);
    let mut servers = Servers {
        one_thread: Contender::with_password_threads(1, 1).await?,
        all_cores: Contender::with_password_threads(cores, 1).await?,
        default: Contender::with_password_threads(0, users).await?,
    };
    let cell =
        Cell { candidate: Candidate::Cloakroom(Store::Sqlite), operation: Operation::Next, users, connections: 256 };
    let local = LocalSet::new();
    local.run_until(round(&mut servers, &cell, cores, options.warm_up())).await?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        progress(&format!("round {number} of {}", options.rounds))?;
        rounds.push(local.run_until(round(&mut servers, &cell, cores, options.round())).await?);
    }
    print(&header(options, None)?, &rounds, cores)
}

async fn round(servers: &mut Servers, cell: &Cell, cores: usize, duration: Duration) -> anyhow::Result<Round> {
    let hashes = hashes_on(1, duration)?;
    let hashes_on_all_cores = hashes_on(cores, duration)?;
    sleep(PAUSE).await;
    let logins_of_one_thread = flood::rate(&servers.one_thread.server, Who::Known, duration).await?;
    sleep(PAUSE).await;
    let logins_of_all_cores = flood::rate(&servers.all_cores.server, Who::Known, duration).await?;
    sleep(PAUSE).await;
    let next = next_of(&mut servers.default, cell, duration).await?;
    sleep(PAUSE).await;
    let flood = Flood::begin(&servers.default.server, Who::KnownAndUnknown).await?;
    sleep(FLOODED).await;
    let (begun, before) = (Instant::now(), flood.answered());
    let next_in_flood = next_of(&mut servers.default, cell, duration).await?;
    let logins_in_flood = (flood.answered() - before) as f64 / begun.elapsed().as_secs_f64();
    flood.end().await?;
    Ok(Round {
        hashes,
        hashes_on_all_cores,
        logins_of_one_thread,
        logins_of_all_cores,
        next,
        next_in_flood,
        logins_in_flood,
    })
}

/// One round of `next`, every number checked.
async fn next_of(contender: &mut Contender, cell: &Cell, duration: Duration) -> anyhow::Result<Sample> {
    let asked = load::round(contender, cell, duration).await;
    let mut round = asked.with_context(|| format!("{cell}; {}", contender.server.last_words()))?;
    contender.ledger.enter(&mut round.taken).context("WRONG NUMBERS")?;
    Ok(sample(&round))
}

/// Hashes a second of so many threads, each with memory of its own that is paged in already.
fn hashes_on(threads: usize, duration: Duration) -> anyhow::Result<f64> {
    let params = Params::default();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let rates: Vec<_> =
        (0..threads).map(|_| argon2.clone()).map(|argon2| thread::spawn(move || hashes(&argon2, duration))).collect();
    let rates = rates.into_iter().map(|thread| thread.join().ok().context("hashing panicked")?);
    rates.sum()
}

fn hashes(argon2: &Argon2<'_>, duration: Duration) -> anyhow::Result<f64> {
    let mut memory = vec![Block::new(); argon2.params().block_count()];
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    let begun = Instant::now();
    let mut count = 0.0;
    while begun.elapsed() < duration {
        argon2.hash_password_into_with_memory(b"a quiet shelf in the cloakroom", &[7; 16], &mut hash, &mut memory)?;
        count += 1.0;
    }
    Ok(count / begun.elapsed().as_secs_f64())
}

fn print(header: &str, rounds: &[Round], cores: usize) -> anyhow::Result<()> {
    let spread = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    let all = cores as f64;
    let mut out = io::stdout().lock();
    writeln!(out, "{header}. Every number and every login checked.\n")?;
    writeln!(out, "| measured | per second | ÷ | |")?;
    writeln!(out, "|---|--:|--:|---|")?;
    let mut row = |what: &str, rate: Spread, ratio: Option<Spread>, of: &str| {
        let ratio = ratio.map(|ratio| ratio.ratios()).unwrap_or_default();
        writeln!(out, "| {what} | {} | {ratio} | {of} |", rate.rates())
    };
    row("Argon2id alone, 1 core", spread(&|round| round.hashes), None, "")?;
    row(
        &format!("Argon2id alone, {cores} cores"),
        spread(&|round| round.hashes_on_all_cores),
        Some(spread(&|round| round.hashes_on_all_cores / all / round.hashes)),
        "a core, of 1 core",
    )?;
    row(
        "logins, `password_threads = 1`",
        spread(&|round| round.logins_of_one_thread),
        Some(spread(&|round| round.logins_of_one_thread / round.hashes)),
        "of Argon2id alone, 1 core",
    )?;
    row(
        &format!("logins, `password_threads = {cores}`"),
        spread(&|round| round.logins_of_all_cores),
        Some(spread(&|round| round.logins_of_all_cores / round.hashes_on_all_cores)),
        &format!("of Argon2id alone, {cores} cores"),
    )?;
    let next = |sample: &Sample| sample.requests_per_second;
    row("`next`, 256 connections", spread(&|round| next(&round.next)), None, "")?;
    row(
        &format!("`next` beside {CONNECTIONS} connections that sign in"),
        spread(&|round| next(&round.next_in_flood)),
        Some(spread(&|round| next(&round.next_in_flood) / next(&round.next))),
        "of `next` without them",
    )?;
    row("logins meanwhile", spread(&|round| round.logins_in_flood), None, "")?;
    let tails = spread(&|round| round.next.tail_milliseconds).median;
    let flooded = spread(&|round| round.next_in_flood.tail_milliseconds).median;
    writeln!(out, "\n`next` p99: {tails:.1} ms without, {flooded:.1} ms beside the logins.")?;
    Ok(())
}
