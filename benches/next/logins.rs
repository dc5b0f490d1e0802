//! `cargo bench --bench next -- login`: what passwords cost, and what they leave of `next`.
//!
//! Within each round: the bare hash, on one core and on all of them; logins through the API on servers with one
//! password thread and with one a core; and `next` of others on a server with its default settings, alone and
//! beside a flood of logins.

use std::{
    io::{self, Write},
    process, thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::{task::LocalSet, time::sleep};

use crate::{
    cell::{Candidate, Cell, Store},
    contender::Contender,
    flood::{self, CONNECTIONS, Flood, Rate, Who},
    load,
    machine::{header, progress},
    measure::PAUSE,
    operation::Operation,
    options::Options,
    report::Spread,
    sample::Sample,
    server::processor_time,
};

/// What one round showed.
struct Round {
    hashes: Rate,
    hashes_on_all_cores: Rate,
    logins_of_one_thread: Rate,
    logins_of_all_cores: Rate,
    next: Sample,
    next_in_flood: Sample,
    logins_in_flood: Rate,
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
    let a_second = (flood.answered() - before) as f64 / begun.elapsed().as_secs_f64();
    let logins_in_flood = Rate { a_second, a_processor_second: f64::NAN };
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
    contender.ledger.enter(&mut round.taken)?.require_none().context("WRONG NUMBERS")?;
    Ok(round.sample())
}

/// The hashes of so many threads, each with memory of its own that is paged in already.
fn hashes_on(threads: usize, duration: Duration) -> anyhow::Result<Rate> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default());
    let (begun, processor) = (Instant::now(), processor_time(process::id())?);
    let hashing = |argon2: Argon2<'static>| thread::spawn(move || hashes(&argon2, duration));
    let hashing: Vec<_> = (0..threads).map(|_| hashing(argon2.clone())).collect();
    let mut count = 0;
    for thread in hashing {
        count += thread.join().ok().context("hashing panicked")??;
    }
    Ok(Rate::of(count, begun.elapsed(), processor_time(process::id())?.saturating_sub(processor)))
}

fn hashes(argon2: &Argon2<'_>, duration: Duration) -> anyhow::Result<u64> {
    let mut memory = vec![Block::new(); argon2.params().block_count()];
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < duration {
        argon2.hash_password_into_with_memory(b"a quiet shelf in the cloakroom", &[7; 16], &mut hash, &mut memory)?;
        count += 1;
    }
    Ok(count)
}

fn print(header: &str, rounds: &[Round], cores: usize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{header}. Every number and every login checked.\n")?;
    writeln!(out, "| measured | per second | per second of its CPU | per second ÷ | per CPU ÷ | |")?;
    writeln!(out, "|---|--:|--:|--:|--:|---|")?;
    let mut row = |what: &str, rate: fn(&Round) -> Rate, of: Option<fn(&Round) -> Rate>, whose: &str| {
        let spread = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
        let walls = spread(&|round| rate(round).a_second);
        let processors = spread(&|round| rate(round).a_processor_second);
        let processor = if processors.median.is_nan() { String::new() } else { processors.rates() };
        let (wall_ratio, processor_ratio) = of.map_or_else(Default::default, |of| {
            let processors = spread(&|round| rate(round).a_processor_second / of(round).a_processor_second).ratios();
            (spread(&|round| rate(round).a_second / of(round).a_second).ratios(), processors)
        });
        writeln!(out, "| {what} | {} | {processor} | {wall_ratio} | {processor_ratio} | {whose} |", walls.rates())
    };
    let all = format!("{cores} cores");
    row("Argon2id alone, 1 core", |round| round.hashes, None, "")?;
    row(&format!("Argon2id alone, {all}"), |round| round.hashes_on_all_cores, Some(|round| round.hashes), "of 1 core")?;
    let one = "of Argon2id alone, 1 core";
    row("logins, `password_threads = 1`", |round| round.logins_of_one_thread, Some(|round| round.hashes), one)?;
    let whose = format!("of Argon2id alone, {all}");
    let what = format!("logins, `password_threads = {cores}`");
    row(&what, |round| round.logins_of_all_cores, Some(|round| round.hashes_on_all_cores), &whose)?;
    row("`next`, 256 connections", |round| Rate::of_next(&round.next), None, "")?;
    row(
        &format!("`next` beside {CONNECTIONS} connections that sign in"),
        |round| Rate::of_next(&round.next_in_flood),
        Some(|round| Rate::of_next(&round.next)),
        "of `next` without them; the CPU is both's",
    )?;
    row("these logins", |round| round.logins_in_flood, None, "")?;
    let tail = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure)).median;
    let alone = tail(|round| round.next.tail_milliseconds);
    let flooded = tail(|round| round.next_in_flood.tail_milliseconds);
    writeln!(out, "\n`next` p99: {alone:.1} ms alone, {flooded:.1} ms beside the logins.")?;
    Ok(())
}
