//! Counts the statements that the database is asked, by the spans that SeaORM's drivers open.

use std::cell::Cell;
use std::sync::Once;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// Counts on this thread. Use it in a `#[tokio::test]` of the default flavour, where everything runs on the
/// test's own thread.
pub struct Statements {
    before: usize,
}

/// No registry of spans: one would miss those that another test's subscriber opened and a driver's thread closes.
struct Counter;

impl Statements {
    pub fn count() -> Self {
        // One subscriber for all tests: one a test would race with those of the others for what is enabled.
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            tracing::subscriber::set_global_default(Counter).expect("nobody else listens to all of the process");
        });
        Self { before: ASKED.get() }
    }

    pub fn so_far(&self) -> usize {
        ASKED.get() - self.before
    }
}

impl Subscriber for Counter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let metadata = span.metadata();
        // A pool hands on to its driver, a transaction asks by itself.
        let asks: &[&str] = match metadata.target() {
            "sea_orm::database::transaction" => {
                &["query_one_raw", "query_all_raw", "execute_raw", "execute_unprepared"]
            }
            target if target.starts_with("sea_orm::driver") => {
                &["query_one", "query_all", "execute", "execute_unprepared"]
            }
            _ => &[],
        };
        if asks.contains(&metadata.name()) {
            ASKED.set(ASKED.get() + 1);
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
