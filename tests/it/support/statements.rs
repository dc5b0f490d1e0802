//! Counts the statements that the database is asked, by the spans that SeaORM's drivers open.

use std::cell::Cell;
use std::sync::Once;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

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

/// Where the statements of a transaction are asked.
const TRANSACTION: &str = "sea_orm::database::transaction";

impl Statements {
    pub fn count() -> Self {
        // One subscriber for all tests: one a test would race with those of the others for what is enabled.
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            tracing::subscriber::set_global_default(Counter).expect("nobody else listens to all of the process");
        });
        Self { before: ASKED.get(), before_in_transactions: IN_TRANSACTIONS.get() }
    }

    /// All of them, but for those that begin and end transactions.
    pub fn so_far(&self) -> usize {
        ASKED.get() - self.before
    }

    /// Those of them that are within transactions.
    pub fn in_transactions(&self) -> usize {
        IN_TRANSACTIONS.get() - self.before_in_transactions
    }
}

/// Not one of the registries of `tracing-subscriber`: their spans, left on a thread that has another subscriber than
/// the thread they began on, panic there, and the tests of the log have subscribers of their own.
impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        asks(metadata)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        if asks(span.metadata()) {
            ASKED.set(ASKED.get() + 1);
            if span.metadata().target() == TRANSACTION {
                IN_TRANSACTIONS.set(IN_TRANSACTIONS.get() + 1);
            }
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Whether it is the span of a statement.
fn asks(metadata: &Metadata<'_>) -> bool {
    // A pool hands on to its driver, a transaction asks by itself.
    let names = match metadata.target() {
        TRANSACTION => ["query_one_raw", "query_all_raw", "execute_raw", "execute_unprepared"],
        target if target.starts_with("sea_orm::driver") => ["query_one", "query_all", "execute", "execute_unprepared"],
        _ => return false,
    };
    metadata.is_span() && names.contains(&metadata.name())
}
