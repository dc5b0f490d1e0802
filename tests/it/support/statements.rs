//! Counts the statements that the database executes, by the events that the store emits for them.

use std::cell::Cell;
use std::fmt::Debug;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    static EXECUTED: Cell<usize> = const { Cell::new(0) };
    static IN_TRANSACTIONS: Cell<usize> = const { Cell::new(0) };
    static IS_IN_TRANSACTION: Cell<bool> = const { Cell::new(false) };
}

/// Counts on this thread. Use it in a `#[tokio::test]` of the default flavor, where everything runs on
/// the test's own thread.
pub struct Statements {
    before: usize,
    before_in_transactions: usize,
}

impl Statements {
    pub fn count() -> Self {
        // One subscriber for all tests: one for each would race with the others for what is enabled.
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            tracing::subscriber::set_global_default(Counter).expect("no other global subscriber");
        });
        Self { before: EXECUTED.get(), before_in_transactions: IN_TRANSACTIONS.get() }
    }

    /// The statements so far, except those that begin and end transactions.
    pub fn so_far(&self) -> usize {
        EXECUTED.get() - self.before
    }

    /// Those of them that are within transactions.
    pub fn in_transactions(&self) -> usize {
        IN_TRANSACTIONS.get() - self.before_in_transactions
    }
}

struct Counter;

/// No registry of `tracing-subscriber`: their spans, left on a thread that has another subscriber than
/// the thread they began on, panic there, and the tests of the log have subscribers of their own.
impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "cloakroom::sql"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "cloakroom::sql" {
            event.record(&mut Statement);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Statement;

impl Visit for Statement {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, sql: &str) {
        match (field.name(), sql) {
            ("sql", "BEGIN" | "BEGIN IMMEDIATE") => IS_IN_TRANSACTION.set(true),
            ("sql", "COMMIT" | "ROLLBACK") => IS_IN_TRANSACTION.set(false),
            // Notifications follow a commit, and nobody waits for them.
            ("sql", sql) if sql.contains("pg_notify") => {}
            ("sql", _) => {
                EXECUTED.set(EXECUTED.get() + 1);
                if IS_IN_TRANSACTION.get() {
                    IN_TRANSACTIONS.set(IN_TRANSACTIONS.get() + 1);
                }
            }
            _ => {}
        }
    }
}
