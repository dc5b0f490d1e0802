//! Counts the statements that the database is asked, by the spans that SeaORM's drivers open.

use std::cell::Cell;
use std::sync::Once;

use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
    static IN_TRANSACTIONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts on this thread. Use it in a `#[tokio::test]` of the default flavour, where everything runs on the
/// test's own thread.
pub struct Statements {
    before: usize,
    before_in_transactions: usize,
}

struct Counter;

impl Statements {
    pub fn count() -> Self {
        // One subscriber for all tests: one a test would race with those of the others for what is enabled.
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Counter))
                .expect("nobody else listens to all of the process");
        });
        Self { before: ASKED.get(), before_in_transactions: IN_TRANSACTIONS.get() }
    }

    /// Those that are a transaction by themselves.
    pub fn so_far(&self) -> usize {
        ASKED.get() - self.before
    }

    /// Those within transactions, without what begins and ends them.
    pub fn in_transactions(&self) -> usize {
        IN_TRANSACTIONS.get() - self.before_in_transactions
    }
}

impl<S: tracing::Subscriber> Layer<S> for Counter {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let metadata = span.metadata();
        let asks = ["query_one", "query_all", "execute", "execute_unprepared"].contains(&metadata.name());
        if asks && metadata.target().starts_with("sea_orm::driver") {
            ASKED.set(ASKED.get() + 1);
        }
        let asks = ["query_one_raw", "query_all_raw", "execute_raw", "execute_unprepared"].contains(&metadata.name());
        if asks && metadata.target() == "sea_orm::database::transaction" {
            IN_TRANSACTIONS.set(IN_TRANSACTIONS.get() + 1);
        }
    }
}
