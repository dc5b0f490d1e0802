//! The run: start everybody, warm up, and ask every cell once a round until the rounds are over.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::sleep;

use crate::{
    contender::{ACCESS_TOKEN, Contender},
    databases::Databases,
    load::{self, Round},
    machine::{header, progress},
    operation::Operation,
    options::Options,
    plan::{self, Cell, Store},
    report,
};

/// What one round of one cell showed.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) requests_per_second: f64,
    pub(crate) processor_microseconds: f64,
    pub(crate) median_milliseconds: f64,
    pub(crate) tail_milliseconds: f64,
}

/// A cell and its samples, one a round.
pub(crate) struct Row {
    pub(crate) cell: Cell,
    pub(crate) samples: Vec<Sample>,
}

/// Between two cells, for the syncs and clean-up work of the last one to end.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// For signing up, and for what is in flight when a round ends.
const MARGIN: Duration = Duration::from_secs(300);

pub(crate) async fn everything(options: &Options) -> anyhow::Result<()> {
    let cell = options.warm_up() + (options.round() + PAUSE) * u32::try_from(options.rounds)?;
    let run = cell * u32::try_from(plan::cells(options).len())?;
    ensure!(run + MARGIN < ACCESS_TOKEN, "that takes {run:?}, longer than an access token lives");
    progress(&format!("measuring for {run:.0?}, after the sign-ups"))?;
    let postgres = options.stores().contains(&Store::Postgres).then(|| options.postgres_url());
    let databases = Databases::create(postgres).await?;
    // The servers are gone when this returns, however it returns: then their databases can go too.
    let rows = rows(options, &databases).await;
    let header = header(options, databases.version().await?);
    databases.drop_all().await?;
    report::print(&header?, &rows?)
}

async fn rows(options: &Options, databases: &Databases) -> anyhow::Result<Vec<Row>> {
    let mut contenders = Vec::new();
    for candidate in plan::candidates(options) {
        progress(&format!("starting {candidate}"))?;
        contenders.push(Contender::start(candidate, options, databases).await?);
    }
    let mut rows: Vec<Row> = plan::cells(options).into_iter().map(|cell| Row { cell, samples: Vec::new() }).collect();
    for row in &rows {
        progress(&format!("warming up {}", row.cell))?;
        ask(&mut contenders, &row.cell, options.warm_up()).await?;
    }
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds))?;
        for row in &mut rows {
            sleep(PAUSE).await;
            let sample = ask(&mut contenders, &row.cell, options.round()).await?;
            progress(&format!("{:>9.0}/s  {}", sample.requests_per_second, row.cell))?;
            row.samples.push(sample);
        }
    }
    for contender in &contenders {
        let megabytes = contender.server.logged_bytes() / 1_000_000;
        if megabytes > 0 {
            progress(&format!("{} wrote {megabytes} MB of log, which its figures include", contender.candidate))?;
        }
    }
    Ok(rows)
}

/// One round of one cell: loaded, checked, summed up.
async fn ask(contenders: &mut [Contender], cell: &Cell, duration: Duration) -> anyhow::Result<Sample> {
    let contender = contenders
        .iter_mut()
        .find(|contender| contender.candidate == cell.candidate)
        .context("every cell's candidate was started")?;
    let asked = load::round(contender, cell, duration).await;
    let mut round = asked.with_context(|| format!("{cell}; {}", contender.server.last_words()))?;
    if cell.operation != Operation::Hello {
        contender.ledger.enter(&mut round.taken).with_context(|| format!("WRONG NUMBERS: {cell}"))?;
    }
    Ok(sample(&round))
}

pub(crate) fn sample(round: &Round) -> Sample {
    let mut latencies: Vec<u32> = round.taken.iter().map(|taken| taken.answered - taken.sent).collect();
    latencies.sort_unstable();
    let milliseconds = |hundredth: usize| {
        let latency = latencies.get(latencies.len() * hundredth / 100).copied().unwrap_or_default();
        f64::from(latency) / 1000.0
    };
    let requests = latencies.len().max(1) as f64;
    Sample {
        requests_per_second: requests / round.elapsed.as_secs_f64(),
        processor_microseconds: round.processor_time.as_secs_f64() * 1e6 / requests,
        median_milliseconds: milliseconds(50),
        tail_milliseconds: milliseconds(99),
    }
}
