//! The run: start everybody, warm up, and ask every cell once a round until the rounds are over.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::sleep;

use crate::{
    cell::{Cell, Store},
    contender::{ACCESS_TOKEN, Contender},
    databases::Databases,
    load,
    machine::{header, progress},
    operation::Operation,
    options::Options,
    plan, report,
    sample::{Row, Sample},
};

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
    let databases = Databases::create(postgres, vec!["product", "naive"]).await?;
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
        let faults = contender.ledger.enter(&mut round.taken)?;
        faults.require_none().with_context(|| format!("WRONG NUMBERS: {cell}"))?;
    }
    Ok(round.sample())
}
