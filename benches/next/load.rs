//! One round of closed-loop load: every connection sends its next request when it has read the last answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    connection::Connection,
    contender::Contender,
    operation::{Operation, require_ok},
    plan::Cell,
};

/// One answered request. Times count microseconds from the round's start.
pub(crate) struct Taken {
    pub(crate) user: usize,
    pub(crate) value: u64,
    pub(crate) sent: u32,
    pub(crate) answered: u32,
}

pub(crate) struct Round {
    pub(crate) taken: Vec<Taken>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// What the server used meanwhile, in user and kernel mode.
    pub(crate) processor_time: Duration,
}

/// A server that answers nothing for so long is taken to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Loads the contender for `duration`, then waits for what is in flight: nothing is cut off, so no number is lost.
pub(crate) async fn round(contender: &Contender, cell: &Cell, duration: Duration) -> anyhow::Result<Round> {
    let requests: Arc<[Vec<u8>]> = contender.requests(cell.operation, cell.users).into();
    let mut connections = Vec::with_capacity(cell.connections);
    for _ in 0..cell.connections {
        connections.push(Connection::open(contender.server.address).await?);
    }
    let processor_time = contender.server.processor_time()?;
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for (number, connection) in connections.into_iter().enumerate() {
        let turns = Turns { seed: number as u64 + 1, users: cell.users };
        clients.spawn(client(connection, Arc::clone(&requests), cell.operation, turns, start, duration));
    }
    let mut taken = Vec::new();
    let mut finished = Vec::with_capacity(cell.connections);
    while let Some(client) = timeout(duration + PATIENCE, clients.join_next()).await.context("the server hangs")? {
        finished.push(client??);
    }
    let elapsed = start.elapsed();
    let processor_time = contender.server.processor_time()?.saturating_sub(processor_time);
    // Closing and collecting come after the clock was read.
    for (connection, records) in finished {
        drop(connection);
        taken.extend(records);
    }
    Ok(Round { taken, elapsed, processor_time })
}

async fn client(
    mut connection: Connection,
    requests: Arc<[Vec<u8>]>,
    operation: Operation,
    mut turns: Turns,
    start: Instant,
    duration: Duration,
) -> anyhow::Result<(Connection, Vec<Taken>)> {
    let mut taken = Vec::with_capacity(4096);
    let mut now = start.elapsed();
    while now < duration {
        let user = turns.next_user();
        let request = requests.get(user).context("every user has a request")?;
        let answer = connection.ask(request).await?;
        require_ok(answer.status, answer.body)?;
        let value = operation.value(answer.body)?;
        let sent = u32::try_from(now.as_micros())?;
        now = start.elapsed();
        taken.push(Taken { user, value, sent, answered: u32::try_from(now.as_micros())? });
    }
    Ok((connection, taken))
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
