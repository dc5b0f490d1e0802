//! Counts the statements that the database is asked, by the spans that SeaORM's drivers open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::span::{Attributes, Id};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Counts on this thread, until it is dropped. Use it in a `#[tokio::test]` of the default flavour, where
/// everything runs on the test's own thread.
pub struct Statements {
    seen: Arc<AtomicUsize>,
    _listening: DefaultGuard,
}

struct Counter(Arc<AtomicUsize>);

impl Statements {
    pub fn count() -> Self {
        let seen = Arc::new(AtomicUsize::new(0));
        let subscriber = tracing_subscriber::registry().with(Counter(Arc::clone(&seen)));
        Self { seen, _listening: tracing::subscriber::set_default(subscriber) }
    }

    pub fn so_far(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }
}

impl<S: tracing::Subscriber> Layer<S> for Counter {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let metadata = span.metadata();
        let asks = ["query_one", "query_all", "execute", "execute_unprepared"].contains(&metadata.name());
        if asks && metadata.target().starts_with("sea_orm::driver") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
