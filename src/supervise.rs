//! Background tasks that survive a panic.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

/// Pause between a panic and the next start: a task that panics at once must not fill the log.
const PAUSE: Duration = Duration::from_secs(1);

/// Spawns `start()` on the current runtime. After a panic, logs it and starts again, until a run ends
/// without one.
pub fn spawn<F>(name: &'static str, start: impl Fn() -> F + Send + Sync + 'static) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        while let Err(panic) = AssertUnwindSafe(async { start().await }).catch_unwind().await {
            tracing::error!(task.name = name, "{name} panicked and is started again: {}", message(&*panic));
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// The message of a panic.
#[must_use]
pub fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_until_it_ends() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let task = spawn("a task", move || {
            let counted = Arc::clone(&counted);
            async move {
                let run = counted.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                assert!(run >= 2, "run {run} fails");
            }
        });
        task.await.expect("the task ends without a panic");
        assert_eq!(runs.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_panic_before_the_first_await_is_caught_too() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let task = spawn("a task", move || {
            assert!(counted.fetch_add(1, Ordering::SeqCst) >= 1, "the closure itself fails");
            std::future::ready(())
        });
        task.await.expect("the task ends without a panic");
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }
}
