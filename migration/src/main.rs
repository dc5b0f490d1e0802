//! `cargo run -p migration -- generate NAME`: creates a migration.

mod generate;

use std::io::{Write as _, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo run -p migration -- generate NAME";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let created = match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["generate", name] => generate::generate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), name, today()),
        _ => Err(std::io::Error::other(USAGE)),
    };
    let (said, code) = match created {
        Ok(module) => (writeln!(stdout(), "created migration/src/{module}.rs"), ExitCode::SUCCESS),
        Err(error) => (writeln!(stderr(), "{error}"), ExitCode::FAILURE),
    };
    if said.is_ok() { code } else { ExitCode::FAILURE }
}

/// The date as a number such as 20261130.
#[expect(clippy::disallowed_methods, reason = "a tool of developers has no clock but this")]
fn today() -> u32 {
    chrono::Utc::now().format("%Y%m%d").to_string().parse().unwrap_or_default()
}
