//! Redis `INCR` with `appendfsync always`, asked by redis-benchmark without pipelining.
//!
//! It is the honest reference among memory stores: every answer waits for a sync, and one sync serves all requests of
//! a turn of its event loop, as a batch of Cloakroom's does.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};

use super::dependent;
use crate::{
    ledger::Faults,
    sample::Sample,
    server::{Ready, Server},
};

pub(crate) struct Redis {
    server: Server,
    /// What it should have counted to.
    asked: u64,
    /// Of the last round: it is told a number of requests, no time.
    per_second: f64,
}

/// What redis-benchmark increments when it is given no range of keys.
const KEY: &str = "counter:__rand_int__";

impl Redis {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let command = |address: SocketAddr, directory: &Path| {
            let mut command = dependent(Path::new("redis-server"));
            command.args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()]);
            command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir"]).arg(directory);
            command
        };
        let server = Server::launch(command, Ready::Accepts).await.context("starting Redis")?;
        Ok(Self { server, asked: 0, per_second: 2_000.0 })
    }

    /// Increments one key over so many connections, for about `duration`.
    pub(crate) fn round(&mut self, connections: usize, duration: Duration) -> anyhow::Result<(Sample, Faults)> {
        let requests = (self.per_second * duration.as_secs_f64()).ceil() as u64;
        let processor_time = self.server.processor_time()?;
        let port = self.server.address.port().to_string();
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", "127.0.0.1", "-p", &port, "-t", "incr", "--csv"]);
        command.args(["-c", &connections.to_string(), "-n", &requests.to_string()]);
        let output = command.output().context("redis-benchmark: is it installed?")?;
        let processor_time = self.server.processor_time()?.saturating_sub(processor_time);
        let said = String::from_utf8_lossy(&output.stdout);
        let figures = figures(&said).with_context(|| format!("unexpected answer of {command:?}: {said}"))?;
        let (requests_per_second, median_milliseconds, tail_milliseconds) = figures;
        self.per_second = requests_per_second;
        let counted = self.counted()?;
        let faults = Faults::of_count(requests, counted - self.asked);
        self.asked = counted;
        let processor_microseconds = processor_time.as_secs_f64() * 1e6 / requests as f64;
        Ok((Sample { requests_per_second, processor_microseconds, median_milliseconds, tail_milliseconds }, faults))
    }

    fn counted(&self) -> anyhow::Result<u64> {
        let mut stream = TcpStream::connect(self.server.address)?;
        stream.write_all(format!("GET {KEY}\r\n").as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with('$'), "unexpected answer of Redis: {answer}");
        Ok(answer.lines().nth(1).context("the key has a value")?.parse()?)
    }
}

/// Requests per second, p50 and p99 in milliseconds, from the line below the heading.
fn figures(csv: &str) -> Option<(f64, f64, f64)> {
    let mut lines = csv.lines().map(|line| line.split(',').map(|field| field.trim_matches('"')));
    let heading: Vec<&str> = lines.next()?.collect();
    let fields: Vec<&str> = lines.next()?.collect();
    let figure = |name: &str| fields.get(heading.iter().position(|field| *field == name)?)?.parse().ok();
    Some((figure("rps")?, figure("p50_latency_ms")?, figure("p99_latency_ms")?))
}
