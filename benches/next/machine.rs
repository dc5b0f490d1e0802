//! What the figures depend on besides the code, and the one place that writes to the terminal.

use std::{
    fs::{self, File},
    io::{self, Write},
    process::Command,
    thread,
    time::Instant,
};

use anyhow::Context;
use chrono::Utc;

use crate::options::Options;

/// A line for whoever waits. The table alone goes to standard output.
pub(crate) fn progress(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stderr(), "{line}")?)
}

/// One line that says where and how the figures were made.
#[expect(clippy::disallowed_methods, reason = "the date of the measurement is the date, and no clock of the product's")]
pub(crate) fn header(options: &Options, postgres: Option<String>) -> anyhow::Result<String> {
    let cores = thread::available_parallelism()?;
    let sync = sync_microseconds()?;
    let profile = release_profile().unwrap_or_default();
    let mut parts = vec![
        Utc::now().format("%Y-%m-%d").to_string(),
        format!("{cores} cores ({}) shared by servers, databases and client", processor()),
        format!("{} rounds of {} s", options.rounds, options.seconds),
        format!("fdatasync {sync} µs"),
        compiler(),
        format!("profile release ({profile})"),
    ];
    parts.extend(postgres);
    if cfg!(debug_assertions) {
        parts.push("**UNOPTIMISED: the figures mean nothing**".to_owned());
    }
    Ok(parts.join("; "))
}

/// The median time to make 4 KiB durable, on the disk that the servers write to.
fn sync_microseconds() -> anyhow::Result<u128> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut file = File::create(directory.path().join("synced"))?;
    let mut times = Vec::new();
    for _ in 0..101 {
        file.write_all(&[0; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed().as_micros());
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().context("syncs were timed")
}

fn processor() -> String {
    let description = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = description.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}

fn compiler() -> String {
    let version = Command::new("rustc").arg("--version").output();
    version
        .map_or_else(|_| "rustc unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The settings under `[profile.release]`, which `cargo bench` inherits.
fn release_profile() -> Option<String> {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).ok()?;
    let (_, section) = manifest.split_once("[profile.release]\n")?;
    let settings = section.lines().take_while(|line| !line.starts_with('[')).filter(|line| line.contains('='));
    Some(settings.map(str::to_owned).collect::<Vec<_>>().join(", "))
}
