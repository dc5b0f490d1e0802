//! PostgreSQL's own `UPDATE … RETURNING`, asked by pgbench: prepared, and without anything in between.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::fill;
use crate::{databases::Databases, ledger::Faults, sample::Sample};

pub(crate) struct Pgbench {
    url: String,
    /// What its rows should add up to.
    taken: u64,
}

const DATABASE: &str = "pgbench";

impl Pgbench {
    pub(crate) async fn prepare(users: usize, databases: &Databases) -> anyhow::Result<Self> {
        fill(DATABASE, users, databases).await?;
        Ok(Self { url: databases.url_of(DATABASE)?, taken: 0 })
    }

    /// Increments rows of so many users over so many connections, for `duration` in whole seconds.
    pub(crate) async fn round(
        &mut self,
        users: usize,
        connections: usize,
        duration: Duration,
        databases: &Databases,
    ) -> anyhow::Result<(Sample, Faults)> {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let script = directory.path().join("next.sql");
        let user = format!("\\set user random(0, {users} - 1)");
        fs::write(
            &script,
            format!("{user}\nUPDATE counters SET value = value + 1 WHERE user_id = :user RETURNING value;\n"),
        )?;
        let mut command = Command::new("pgbench");
        command.args(["-n", "-M", "prepared", "-j", "2", "-c", &connections.to_string()]);
        command.args(["-T", &duration.as_secs().max(1).to_string(), "--log", "--log-prefix", "log", "-f"]);
        command.arg(&script).arg(&self.url).current_dir(directory.path());
        let output = command.output().context("pgbench: is it installed?")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        let (transactions, requests_per_second) = figures(&said).with_context(|| format!("{command:?}: {said}"))?;
        let counted = databases.number(DATABASE, "SELECT sum(value)::bigint FROM counters").await?;
        let faults = Faults::of_count(transactions, counted - self.taken);
        self.taken = counted;
        let latencies = latencies(directory.path())?;
        let milliseconds = |hundredth: usize| {
            latencies.get(latencies.len() * hundredth / 100).copied().unwrap_or_default() as f64 / 1e3
        };
        let sample = Sample {
            requests_per_second,
            processor_microseconds: f64::NAN,
            median_milliseconds: milliseconds(50),
            tail_milliseconds: milliseconds(99),
        };
        Ok((sample, faults))
    }
}

/// How many transactions, and how many a second once all were connected.
fn figures(said: &str) -> Option<(u64, f64)> {
    let after = |start: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(start))?;
        line.split([' ', '/']).next()
    };
    Some((after("number of transactions actually processed: ")?.parse().ok()?, after("tps = ")?.parse().ok()?))
}

/// Microseconds, sorted: the third field of each line of each thread's log.
fn latencies(directory: &Path) -> anyhow::Result<Vec<u64>> {
    let mut latencies = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("log") {
            let log = fs::read_to_string(entry.path())?;
            latencies.extend(log.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()));
        }
    }
    latencies.sort_unstable();
    Ok(latencies)
}
