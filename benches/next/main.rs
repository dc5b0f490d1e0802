//! How fast is `mutation { next { value } }`, and is every number right while it is fast?
//!
//! `cargo bench --bench next` starts the release binary on SQLite and on PostgreSQL, starts reference servers
//! beside it ([`references`]), and asks all of them in turn with the same closed-loop client, so that every ratio
//! comes from one run on one machine. In reading order:
//!
//! - [`options`]: the command line
//! - [`cell`], [`plan`]: who is measured, and how: the cells of the table
//! - [`server`], [`contender`], [`accounts`], [`databases`]: a server process, ready to be asked
//! - [`connection`], [`operation`], [`keys`], [`load`]: the client
//! - [`ledger`]: no number is missing, repeated or out of order
//! - [`measure`], [`sample`], [`report`], [`machine`]: rounds, and what is printed about them
//! - [`logins`], [`flood`]: the other benchmark, `-- login`: what passwords cost, and what they leave of `next`
//! - [`contest`], [`peers`]: `-- peers`: the same beside what others wrote
//! - [`fanout`]: `-- fanout`: one counter and 10,000 subscribers
//! - [`photos`]: `-- photos`: uploads, and thumbnails beside nginx
//! - [`references`]: the reference servers, which are this executable started again
//!
//! **Invariant:** a figure is printed only when every answer behind it was checked.

mod accounts;
mod cell;
mod connection;
mod contender;
mod contest;
mod databases;
mod fanout;
mod flood;
mod keys;
mod ledger;
mod load;
mod logins;
mod machine;
mod measure;
mod operation;
mod options;
mod peers;
mod photos;
mod plan;
mod references;
mod report;
mod sample;
mod server;

use clap::Parser;
use options::{Options, What};

/// The product's allocator, so that the references are not slower for want of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(reference) = options.reference {
        return references::serve(reference, &options.place, options.users);
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
        What::Peers => runtime.block_on(contest::everything(&options)),
        What::Fanout => runtime.block_on(fanout::everything(&options)),
        What::Photos => runtime.block_on(photos::everything(&options)),
        What::Login => runtime.block_on(logins::everything(&options)),
    }
}
