//! A server as a child process: started, waited for, its processor time read, killed in the end.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::connection::Connection;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    directory: TempDir,
}

/// How long a server may take to open its store.
const START: Duration = Duration::from_secs(30);

/// What one tick of /proc/<pid>/stat is on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// When a server counts as started.
#[derive(Clone, Copy)]
pub(crate) enum Ready {
    /// When `/readyz` says 200.
    Says,
    /// When it answers HTTP, whatever it says.
    Answers,
    /// When it accepts connections.
    Accepts,
}

impl Server {
    /// Runs `command` with `--listen` and `--data-dir` added, and returns when `/readyz` says 200.
    pub(crate) async fn start(mut command: Command) -> anyhow::Result<Self> {
        let start = |address: SocketAddr, directory: &Path| {
            command.args(["--listen", &address.to_string(), "--data-dir"]).arg(directory);
            command
        };
        Self::launch(start, Ready::Says).await
    }

    /// Runs the command made for a free address and a new directory, and returns when it is ready.
    pub(crate) async fn launch(
        command: impl FnOnce(SocketAddr, &Path) -> Command,
        ready: Ready,
    ) -> anyhow::Result<Self> {
        // Not /tmp: that may be memory, where a sync costs nothing.
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let log = File::create(directory.path().join("log"))?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = command(address, directory.path());
        command.current_dir(directory.path());
        // A reference leaves when its standard input closes, so that none outlives a killed benchmark.
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let mut server = Self { address, child, directory };
        let waited = server.wait_until(ready).await;
        waited.with_context(|| format!("{command:?}\n{}", server.last_words()))?;
        Ok(server)
    }

    async fn wait_until(&mut self, ready: Ready) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server stopped by itself: {status}");
            }
            let refusal = match self.try_out(ready).await {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            if begun.elapsed() > START {
                return Err(refusal.context(format!("not ready after {START:?}")));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn try_out(&self, ready: Ready) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address).await?;
        if matches!(ready, Ready::Accepts) {
            return Ok(());
        }
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        let status = connection.ask(request.as_bytes()).await?.status;
        ensure!(status == 200 || matches!(ready, Ready::Answers), "/readyz says {status}");
        Ok(())
    }

    /// What it and its worker processes have used so far.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let mut sum = processor_time(self.child.id())?;
        for worker in workers(self.child.id()) {
            sum += processor_time(worker)?;
        }
        Ok(sum)
    }

    /// What it keeps in memory, shared pages included.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(kilobytes.context("/proc/<pid>/status has VmRSS")?.parse::<u64>()? * 1024)
    }

    /// The end of its log, for the message about its failure.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let tail = log.get(log.len().saturating_sub(2000)..).unwrap_or_default();
        format!("the end of its log:\n{}", String::from_utf8_lossy(tail))
    }

    pub(crate) fn logged_bytes(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |log| log.len())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

/// The processes that a process has started.
fn workers(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|worker| worker.parse().ok()).collect()
}

/// User and kernel time of all threads of a process so far, in steps of 10 ms.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let stat =
        fs::read_to_string(format!("/proc/{process}/stat")).context("reading the processor time, which needs Linux")?;
    // The second field is the program's name in brackets, which may contain spaces; `utime` and `stime` are the
    // 14th and 15th.
    let (_, fields) = stat.rsplit_once(')').context("/proc/<pid>/stat has a name")?;
    let ticks: Vec<u32> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(TICK * ticks.iter().sum::<u32>())
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its data is about to be deleted: there is nothing to leave in order. Errors mean that it is gone already.
        let workers = workers(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
        for worker in workers {
            let worker = i32::try_from(worker).ok().and_then(Pid::from_raw);
            let _ = worker.map(|worker| kill_process(worker, Signal::KILL));
        }
    }
}
