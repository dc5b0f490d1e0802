//! A server as a child process: started, waited for, its processor time read, killed in the end.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
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

impl Server {
    /// Runs `command` with `--listen` and `--data-dir` added, and returns when `/readyz` says 200.
    pub(crate) async fn start(mut command: Command) -> anyhow::Result<Self> {
        // Not /tmp: that may be memory, where a sync costs nothing.
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let log = File::create(directory.path().join("log"))?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        command.args(["--listen", &address.to_string(), "--data-dir"]).arg(directory.path());
        command.current_dir(directory.path());
        // A peer leaves when its standard input closes, so that none outlives a killed benchmark.
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let mut server = Self { address, child, directory };
        server.wait_until_ready().await.with_context(|| format!("{command:?}\n{}", server.last_words()))?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server stopped by itself: {status}");
            }
            let refusal = match Connection::open(self.address).await {
                Ok(mut connection) => match connection.ask(request.as_bytes()).await {
                    Ok(answer) if answer.status == 200 => return Ok(()),
                    Ok(answer) => format!("status {}", answer.status),
                    Err(error) => format!("{error:#}"),
                },
                Err(error) => format!("{error:#}"),
            };
            if begun.elapsed() > START {
                bail!("/readyz does not say 200 after {START:?}: {refusal}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has used so far.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(self.child.id())
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
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
