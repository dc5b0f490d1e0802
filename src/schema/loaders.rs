//! The DataLoaders of one request, made when first needed.

use std::sync::{Arc, OnceLock};

use async_graphql::dataloader::DataLoader;

use crate::accounts::loader::UserLoader;
use crate::app::App;
use crate::batching::batched;
use crate::caller::Caller;
use crate::counters::loader::CounterLoader;

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
        self.users.get_or_init(|| batched(loader()))
    }

    pub(super) fn counters(&self) -> &DataLoader<CounterLoader> {
        let loader = || CounterLoader(Arc::clone(&self.app.counters), self.caller.clone());
        self.counters.get_or_init(|| batched(loader()))
    }
}
