//! `cargo bench --bench next -- fanout`: one counter, and 10,000 that watch it over WebSockets.
//!
//! After each change everybody is waited for, so every subscriber must be told every value, once. The change is
//! asked for by a thread of its own, so that its answer is not read behind 10,000 deliveries.

mod subscriber;

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    net::TcpStream,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    sync::Notify,
    task::{JoinSet, LocalSet, spawn_blocking},
    time::{sleep, timeout},
};

use crate::{
    accounts,
    contender::cloakroom,
    machine::{header, progress},
    operation::Operation,
    options::Options,
    report::{Spread, thousands},
    server::Server,
};
use subscriber::Subscriber;

/// Changes in a round.
const CHANGES: usize = 20;
/// For what the server does after the last subscription, before its memory is read.
const REST: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
/// Files that are open besides the sockets of subscribers.
const OTHER_FILES: u64 = 200;

/// Who has been told the value that is expected.
#[derive(Default)]
struct Board {
    expected: u64,
    deliveries: Vec<Instant>,
}

struct Watchers {
    count: usize,
    board: Rc<RefCell<Board>>,
    complete: Rc<Notify>,
    watching: JoinSet<anyhow::Result<()>>,
}

/// One change, seen by everybody. Milliseconds from its answer.
struct Change {
    last: f64,
    median: f64,
    tail: f64,
}

struct Memory {
    before: u64,
    after: u64,
}

pub(crate) async fn everything(options: &Options) -> anyhow::Result<()> {
    allow_files(options.subscribers as u64 + OTHER_FILES)?;
    let mut command = cloakroom();
    command.env("CLOAKROOM__SERVER__MAX_CONNECTIONS", (options.subscribers + 100).to_string());
    command.env("CLOAKROOM__SUBSCRIPTIONS__MAX_PER_CALLER", options.subscribers.to_string());
    let server = Server::start(command).await?;
    let local = LocalSet::new();
    let measured = local.run_until(measure(&server, options)).await;
    let (memory, processor, changes) = measured.with_context(|| server.last_words())?;
    print(&header(options, None)?, options.subscribers, &memory, processor, &changes)
}

async fn measure(server: &Server, options: &Options) -> anyhow::Result<(Memory, Duration, Vec<Change>)> {
    let token = accounts::sign_up(server, 1).await?.pop().context("a user has a token")?;
    let before = server.resident_bytes()?;
    let mut watchers = Watchers::gather(server, &token, options.subscribers).await?;
    sleep(REST).await;
    let memory = Memory { before, after: server.resident_bytes()? };
    // Only now: the server closes what is idle for long.
    let stream = TcpStream::connect(server.address)?;
    let mut asker = Asker { stream, request: Operation::Next.request(server.address, &token) };
    let mut value = 0;
    for _ in 0..CHANGES {
        value += 1;
        (asker, _) = watchers.see(asker, value).await?;
    }
    let processor = server.processor_time()?;
    let mut changes = Vec::new();
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds))?;
        for _ in 0..CHANGES {
            value += 1;
            let (back, change) = watchers.see(asker, value).await?;
            asker = back;
            changes.push(change);
        }
    }
    Ok((memory, server.processor_time()?.saturating_sub(processor), changes))
}

impl Watchers {
    /// Subscribes so many, one after the other.
    async fn gather(server: &Server, token: &str, count: usize) -> anyhow::Result<Self> {
        let (board, complete) = (Rc::new(RefCell::new(Board::default())), Rc::new(Notify::new()));
        let mut watchers = Self { count, board, complete, watching: JoinSet::new() };
        for number in 1..=count {
            let opened = Subscriber::open(server.address, token).await;
            let (mut subscriber, value) = opened.with_context(|| format!("subscriber {number}"))?;
            ensure!(value == 0, "the first value is {value}, though nothing was taken yet");
            let (board, complete) = (Rc::clone(&watchers.board), Rc::clone(&watchers.complete));
            watchers.watching.spawn_local(async move {
                loop {
                    let value = subscriber.value().await?;
                    let mut board = board.borrow_mut();
                    ensure!(value == board.expected, "told {value} instead of {}", board.expected);
                    board.deliveries.push(Instant::now());
                    if board.deliveries.len() == count {
                        complete.notify_one();
                    }
                }
            });
            if number % 2500 == 0 {
                progress(&format!("{number} of {count} subscribed"))?;
            }
        }
        Ok(watchers)
    }

    /// Takes the number `value`, and waits until everybody has been told.
    async fn see(&mut self, asker: Asker, value: u64) -> anyhow::Result<(Asker, Change)> {
        *self.board.borrow_mut() = Board { expected: value, deliveries: Vec::with_capacity(self.count) };
        let (asker, answered) = spawn_blocking(move || asker.take(value)).await??;
        tokio::select! {
            told = timeout(PATIENCE, self.complete.notified()) => told.with_context(|| {
                format!("{} of {} were told", self.board.borrow().deliveries.len(), self.count)
            })?,
            Some(ended) = self.watching.join_next() => ended??,
        }
        let board = self.board.borrow();
        ensure!(board.deliveries.len() == self.count, "somebody was told {value} twice");
        // Deliveries are in the order of time. What came before the answer waited for nothing.
        let milliseconds = |index: usize| {
            let delivery = board.deliveries.get(index.min(self.count - 1)).context("everybody was told")?;
            anyhow::Ok(delivery.saturating_duration_since(answered).as_secs_f64() * 1e3)
        };
        let last = milliseconds(self.count - 1)?;
        let change = Change { last, median: milliseconds(self.count / 2)?, tail: milliseconds(self.count * 99 / 100)? };
        Ok((asker, change))
    }
}

/// Takes numbers, on a thread that waits for nothing else.
struct Asker {
    stream: TcpStream,
    request: Vec<u8>,
}

impl Asker {
    /// Returns when the answer is there, which must be `expected`, with the time it came.
    fn take(mut self, expected: u64) -> anyhow::Result<(Self, Instant)> {
        self.stream.write_all(&self.request)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"}}}") {
            let mut part = [0; 1024];
            let read = self.stream.read(&mut part)?;
            ensure!(read > 0, "the server closed within an answer: {}", String::from_utf8_lossy(&answer));
            answer.extend(part.iter().take(read));
        }
        let answered = Instant::now();
        let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |end| end + 4);
        let numbers = Operation::Next.numbers(answer.get(body..).unwrap_or_default())?;
        ensure!(numbers == (expected..=expected), "{numbers:?} instead of {expected}");
        Ok((self, answered))
    }
}

/// For this process and the server, which inherits it.
fn allow_files(needed: u64) -> anyhow::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < needed) {
        let maximum = maximum.map(|maximum| maximum.max(needed));
        setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })
            .with_context(|| format!("{needed} files must be open at once, and the limit cannot be raised so far"))?;
    }
    Ok(())
}

fn print(
    header: &str,
    subscribers: usize,
    memory: &Memory,
    processor: Duration,
    changes: &[Change],
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let count = thousands(subscribers as f64);
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let each = memory.after.saturating_sub(memory.before) as f64 / subscribers as f64 / 1e3;
    let of_change = processor.as_secs_f64() / changes.len() as f64;
    let row = |name: &str, figure: fn(&Change) -> f64| {
        let spread = Spread::of(changes.iter().map(figure));
        format!("| {name} | {} ms |", spread.ratios())
    };
    writeln!(out, "{header}. {} changes; every subscriber was told every value, once.\n", changes.len())?;
    writeln!(out, "| one counter, {count} subscribers over WebSockets | median [least-most] |")?;
    writeln!(out, "|---|--:|")?;
    writeln!(out, "{}", row("from the answer of `next` to the last delivery", |change| change.last))?;
    writeln!(out, "{}", row("to half of the deliveries (p50)", |change| change.median))?;
    writeln!(out, "{}", row("to 99 of 100 deliveries (p99)", |change| change.tail))?;
    let each_delivery = of_change * 1e6 / subscribers as f64;
    let of_change = of_change * 1e3;
    writeln!(out, "| server CPU of one change | {of_change:.1} ms, {each_delivery:.1} µs a delivery |")?;
    writeln!(
        out,
        "| server's resident memory, all idle | {:.0} MB, {:.0} MB before; {each:.1} kB a subscriber |",
        megabytes(memory.after),
        megabytes(memory.before),
    )?;
    Ok(())
}
