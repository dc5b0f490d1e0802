//! DataLoaders: what the resolvers of a level ask for one by one goes into one statement.

use std::time::Duration;

use async_graphql::dataloader::DataLoader;
use async_graphql::runtime::{Timer, TokioSpawner};
use futures_util::future::BoxFuture;

/// How often a loader lets other resolvers go first, so that their keys join its statement. Each turn lets
/// every resolver that is ready run once; the stock timer sleeps for a millisecond a level instead.
const TURNS: usize = 3;

/// A loader that waits for whoever is ready to ask, and no longer.
pub fn batched<L>(loader: L) -> DataLoader<L> {
    DataLoader::new(loader, TokioSpawner::current(), Turns)
}

struct Turns;

impl Timer for Turns {
    fn delay(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        })
    }
}
