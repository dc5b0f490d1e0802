//! One round of closed-loop load: every connection sends its next request when it has read the last answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    cell::Cell,
    connection::Connection,
    contender::Contender,
    keys::{self, Key},
    ledger::{Numbers, Taken},
    operation::{Operation, require_ok},
    sample::Sample,
};

pub(crate) struct Round {
    /// What was taken for the first time: for the ledger.
    pub(crate) taken: Vec<Taken>,
    /// Milliseconds, sorted.
    pub(crate) latencies: Vec<f32>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// What the server used meanwhile, in user and kernel mode.
    pub(crate) processor_time: Duration,
}

impl Round {
    pub(crate) fn sample(&self) -> Sample {
        let milliseconds = |hundredth: usize| {
            f64::from(self.latencies.get(self.latencies.len() * hundredth / 100).copied().unwrap_or_default())
        };
        let requests = self.latencies.len().max(1) as f64;
        Sample {
            requests_per_second: requests / self.elapsed.as_secs_f64(),
            processor_microseconds: self.processor_time.as_secs_f64() * 1e6 / requests,
            median_milliseconds: milliseconds(50),
            tail_milliseconds: milliseconds(99),
        }
    }
}

/// A server that answers nothing for so long is taken to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many answers each connection has brought back again and again, where answers are replayed.
const REPLAYED: usize = 16;

/// Loads the contender for `duration`, then waits for what is in flight: nothing is cut off, so no number is lost.
pub(crate) async fn round(contender: &Contender, cell: &Cell, duration: Duration) -> anyhow::Result<Round> {
    let mut taken = Vec::new();
    let clients = clients(contender, cell, &mut taken).await?;
    let processor_time = contender.server.processor_time()?;
    let start = Instant::now();
    let mut asking = JoinSet::new();
    for client in clients {
        asking.spawn(client.ask_until(start, duration));
    }
    let mut finished = Vec::with_capacity(cell.connections);
    while let Some(client) = timeout(duration + PATIENCE, asking.join_next()).await.context("the server hangs")? {
        finished.push(client??);
    }
    let elapsed = start.elapsed();
    let processor_time = contender.server.processor_time()?.saturating_sub(processor_time);
    // Closing and collecting come after the clock was read.
    let mut latencies = Vec::new();
    for (client, answers) in finished {
        drop(client);
        latencies.extend(answers.iter().map(|answer| (answer.answered - answer.sent) as f32 / 1000.0));
        if cell.operation != Operation::Replay {
            taken.extend(answers);
        }
    }
    latencies.sort_unstable_by(f32::total_cmp);
    Ok(Round { taken, latencies, elapsed, processor_time })
}

/// One for each connection, ready to ask.
async fn clients(contender: &Contender, cell: &Cell, taken: &mut Vec<Taken>) -> anyhow::Result<Vec<Client>> {
    let requests: Arc<[Vec<u8>]> = contender.requests(cell.operation, cell.users).into();
    let mut preparing = JoinSet::new();
    for number in 0..cell.connections {
        let client = Client {
            connection: Connection::open(contender.server.address).await?,
            requests: Arc::clone(&requests),
            operation: cell.operation,
            turns: Turns { seed: number as u64 + 1, users: cell.users },
            scratch: Vec::new(),
            replays: Vec::new(),
        };
        // All at once: a connection may not be idle for long.
        preparing.spawn(client.prepared());
    }
    let mut clients = Vec::with_capacity(cell.connections);
    while let Some(prepared) = preparing.join_next().await {
        let (client, first) = prepared??;
        taken.extend(first);
        clients.push(client);
    }
    Ok(clients)
}

struct Client {
    connection: Connection,
    requests: Arc<[Vec<u8>]>,
    operation: Operation,
    turns: Turns,
    /// The request that is being sent, where each is another one.
    scratch: Vec<u8>,
    /// What was answered under which key.
    replays: Vec<(usize, Key, Numbers)>,
}

impl Client {
    async fn ask_until(mut self, start: Instant, duration: Duration) -> anyhow::Result<(Self, Vec<Taken>)> {
        let mut answers = Vec::with_capacity(4096);
        let mut now = start.elapsed();
        while now < duration {
            let (user, numbers) = match self.operation {
                Operation::FreshKey => self.ask_with_key(keys::fresh()).await?,
                Operation::Replay => self.replay(answers.len()).await?,
                _ => self.ask().await?,
            };
            let sent = u32::try_from(now.as_micros())?;
            now = start.elapsed();
            let answered = u32::try_from(now.as_micros())?;
            answers.push(Taken { user, first: *numbers.start(), last: *numbers.end(), sent, answered });
        }
        Ok((self, answers))
    }

    async fn ask(&mut self) -> anyhow::Result<(usize, Numbers)> {
        let user = self.turns.next_user();
        let request = self.requests.get(user).context("every user has a request")?;
        let answer = self.connection.ask(request).await?;
        require_ok(answer.status, answer.body)?;
        Ok((user, self.operation.numbers(answer.body)?))
    }

    async fn ask_with_key(&mut self, key: Key) -> anyhow::Result<(usize, Numbers)> {
        let user = self.turns.next_user();
        let request = self.requests.get(user).context("every user has a request")?;
        keys::patch(request, key, &mut self.scratch)?;
        let answer = self.connection.ask(&self.scratch).await?;
        require_ok(answer.status, answer.body)?;
        Ok((user, Operation::FreshKey.numbers(answer.body)?))
    }

    /// Takes what is replayed, before the clock runs. It is right when the ledger says so, whatever its order.
    async fn prepared(mut self) -> anyhow::Result<(Self, Vec<Taken>)> {
        let mut taken = Vec::new();
        let answers = if self.operation == Operation::Replay { REPLAYED } else { 0 };
        for _ in 0..answers {
            let key = keys::fresh();
            let (user, numbers) = self.ask_with_key(key).await?;
            taken.push(Taken { user, first: *numbers.start(), last: *numbers.end(), sent: 0, answered: u32::MAX });
            self.replays.push((user, key, numbers));
        }
        Ok((self, taken))
    }

    async fn replay(&mut self, turn: usize) -> anyhow::Result<(usize, Numbers)> {
        let (user, key, expected) = self.replays.get(turn % REPLAYED).context("there are answers to replay")?;
        let request = self.requests.get(*user).context("every user has a request")?;
        keys::patch(request, *key, &mut self.scratch)?;
        let answer = self.connection.ask(&self.scratch).await?;
        require_ok(answer.status, answer.body)?;
        let numbers = Operation::Replay.numbers(answer.body)?;
        ensure!(numbers == *expected, "replayed as {numbers:?}, though it was {expected:?}");
        Ok((*user, numbers))
    }
}

/// Which user asks next: the same pseudo-random sequence in every run, in which connections meet on a user now and then.
struct Turns {
    seed: u64,
    users: usize,
}

impl Turns {
    fn next_user(&mut self) -> usize {
        // Knuth's MMIX generator; its high bits are the good ones.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.seed >> 33).unwrap_or_default() % self.users
    }
}
