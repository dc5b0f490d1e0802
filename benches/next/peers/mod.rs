//! The reference servers: what the machine gives with less to do, and what the obvious design gives.
//!
//! Each is this executable started again with `--peer`, so that its processor time is read exactly as the
//! product's is. None checks tokens, limits or logs anything: what the product does beyond them, it pays for.

mod graphql;
mod hello;
mod memory;
mod naive;

use std::{io, process, thread};

use axum::{Router, routing::get};
use clap::ValueEnum;
use tokio::net::TcpListener;

use crate::options::Options;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// A constant text over axum.
    Hello,
    /// The GraphQL of `naive` over counters in memory.
    Memory,
    /// One transaction a request.
    Naive,
}

/// Serves until whoever started it goes away.
#[tokio::main]
pub(crate) async fn serve(peer: Peer, options: &Options) -> anyhow::Result<()> {
    thread::spawn(leave_with_the_parent);
    let router = match peer {
        Peer::Hello => hello::router(),
        Peer::Memory => graphql::router(graphql::Counters::Memory(memory::Counters::new(options.users))),
        Peer::Naive => graphql::router(graphql::Counters::Naive(naive::Counters::open(options).await?)),
    };
    let ready: Router = Router::new().route("/readyz", get(|| async {}));
    Ok(axum::serve(TcpListener::bind(options.listen).await?, router.merge(ready)).await?)
}

/// The parent holds the other end of standard input.
fn leave_with_the_parent() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    process::exit(0);
}
