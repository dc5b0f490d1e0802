//! The `cloakroom` command: parse the command line, run the command.

use std::process::ExitCode;

use clap::Parser as _;
use cloakroom::cli::Interrupted;
use cloakroom::error::chain;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cloakroom::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // Nobody is left to tell if standard error is closed too.
            drop(writeln!(std::io::stderr(), "cloakroom: {}", chain(error.as_ref())));
            let interrupted = error.downcast_ref::<Interrupted>();
            interrupted.map_or(ExitCode::FAILURE, |interrupted| interrupted.exit_code().into())
        }
    }
}
