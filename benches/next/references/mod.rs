//! The reference servers: what the machine gives with less to do, and what the obvious design gives.
//!
//! Each is this executable started again with `--reference`, so that its processor time is read exactly as the
//! product's is. None checks tokens, limits or logs anything: what the product does beyond them, it pays for.

mod graphql;
mod hello;
mod memory;
mod naive;

use std::{io, net::SocketAddr, path::PathBuf, process, thread};

use axum::{Router, routing::get};
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reference {
    /// A constant text over axum.
    Hello,
    /// The GraphQL of `naive` over counters in memory.
    Memory,
    /// One transaction a request.
    Naive,
}

/// Where a reference server listens, and where it keeps its numbers.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// Where the reference server listens.
    #[arg(long, hide = true, default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Where the naive reference keeps its SQLite file, unless it has a database.
    #[arg(long, hide = true, default_value = ".")]
    data_dir: PathBuf,

    /// The naive reference's PostgreSQL database.
    #[arg(long, hide = true)]
    database: Option<String>,
}

/// Serves until whoever started it goes away.
#[tokio::main]
pub(crate) async fn serve(reference: Reference, place: &Place, users: usize) -> anyhow::Result<()> {
    thread::spawn(leave_with_the_parent);
    let router = match reference {
        Reference::Hello => hello::router(),
        Reference::Memory => graphql::router(graphql::Counters::Memory(memory::Counters::new(users))),
        Reference::Naive => graphql::router(graphql::Counters::Naive(naive::Counters::open(place, users).await?)),
    };
    let ready: Router = Router::new().route("/readyz", get(|| async {}));
    Ok(axum::serve(TcpListener::bind(place.listen).await?, router.merge(ready)).await?)
}

/// The parent holds the other end of standard input.
fn leave_with_the_parent() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    process::exit(0);
}
