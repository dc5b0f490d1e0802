//! How fast is `mutation { next { value } }`, and is every number right while it is fast?
//!
//! `cargo bench --bench next` starts the release binary on SQLite and on PostgreSQL, starts reference servers
//! beside it ([`peers`]), and asks all of them in turn with the same closed-loop client, so that every ratio
//! comes from one run on one machine. In reading order:
//!
//! - [`options`]: the command line
//! - [`plan`]: who is measured, and how: the cells of the table
//! - [`server`], [`contender`], [`accounts`], [`databases`]: a server process, ready to be asked
//! - [`connection`], [`operation`], [`load`]: the client
//! - [`ledger`]: no number is missing, repeated or out of order
//! - [`measure`], [`report`], [`machine`]: rounds, and what is printed about them
//! - [`logins`], [`flood`]: the other benchmark, `-- login`: what passwords cost, and what they leave of `next`
//! - [`peers`]: the reference servers, which are this executable started again
//!
//! **Invariant:** a figure is printed only when every answer behind it was checked.

mod accounts;
mod connection;
mod contender;
mod databases;
mod flood;
mod ledger;
mod load;
mod logins;
mod machine;
mod measure;
mod operation;
mod options;
mod peers;
mod plan;
mod report;
mod server;

use clap::Parser;
use options::{Options, What};

/// The product's allocator, so that the references are not slower for want of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(peer) = options.peer {
        return peers::serve(peer, &options);
    }
    if !options.bench {
        // `cargo test --all-targets` runs this without `--bench`: compiling was the test.
        return Ok(());
    }
    // One thread: the client shares the machine with the servers, and must not take more than one core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let options = options.settled();
    match options.what {
        What::Next => runtime.block_on(measure::everything(&options)),
        What::Login => runtime.block_on(logins::everything(&options)),
    }
}
