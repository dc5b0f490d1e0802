//! The DataLoaders of one request, made when first needed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::dataloader::DataLoader;
use async_graphql::runtime::{Timer, TokioSpawner};
use futures_util::future::BoxFuture;

use crate::accounts::loader::UserLoader;
use crate::app::App;
use crate::caller::Caller;
use crate::counters::loader::CounterLoader;

/// How often a loader lets other resolvers go first, so that their keys join its statement. Each turn lets
/// every resolver that is ready run once; the stock timer sleeps for a millisecond a level instead.
const TURNS: usize = 3;

/// One request's loaders: shared by nobody else, so that nobody sees what another may see.
pub(super) struct Loaders {
    app: Arc<App>,
    caller: Caller,
    users: OnceLock<DataLoader<UserLoader>>,
    counters: OnceLock<DataLoader<CounterLoader>>,
}

impl Loaders {
    pub(super) fn new(app: &Arc<App>, caller: Caller) -> Self {
        Self { app: Arc::clone(app), caller, users: OnceLock::new(), counters: OnceLock::new() }
    }

    pub(super) fn users(&self) -> &DataLoader<UserLoader> {
        let loader = || UserLoader(Arc::clone(&self.app.accounts), self.caller.clone());
        self.users.get_or_init(|| DataLoader::new(loader(), TokioSpawner::current(), Turns))
    }

    pub(super) fn counters(&self) -> &DataLoader<CounterLoader> {
        let loader = || CounterLoader(Arc::clone(&self.app.counters), self.caller.clone());
        self.counters.get_or_init(|| DataLoader::new(loader(), TokioSpawner::current(), Turns))
    }
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
