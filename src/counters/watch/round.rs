//! The rounds of the watchers' task: what may have changed is read, and what has changed is shown.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::counters::counter::Key;
use crate::counters::watch::{Shared, State, replicas};
use crate::counters::{counter, statements};
use crate::error::Error;

/// What waking a watcher and sending it the change may cost. A round rests as long as its watchers need, so that a hot
/// counter with many of them takes half of the machine at most.
const REST_PER_WATCHER: Duration = Duration::from_micros(5);
/// Between two rounds at least: more than this nobody can look at.
const LEAST_REST: Duration = Duration::from_millis(1);
/// After signals to others.
const REST_AFTER_SIGNAL: Duration = Duration::from_millis(10);
/// After a read that failed.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// How often to look for oneself where signals come: one may have been lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What one round has to do.
struct Work {
    keys: Vec<Key>,
    arriving: Vec<(Key, oneshot::Sender<Result<(), Error>>)>,
    hints: Option<String>,
}

/// Round after round. However much there is to do, everything that is watched is looked at now and then: that one counter
/// is busy says nothing of what others do to the rest.
pub(super) async fn go_on(shared: Arc<Shared>) {
    let mut looked = Instant::now();
    loop {
        let woken = shared.wake.notified();
        if shared.watchers.load(Ordering::SeqCst) == 0 {
            woken.await;
            looked = Instant::now();
        } else {
            let due = looked + look_every(&shared);
            drop(tokio::time::timeout_at(due.into(), woken).await);
            if Instant::now() >= due {
                shared.doubt_all();
                looked = Instant::now();
            }
        }
        tokio::time::sleep(round(&shared).await).await;
    }
}

fn look_every(shared: &Shared) -> Duration {
    let hears = shared.hears.load(Ordering::SeqCst);
    if hears { LOOK_EVERY.max(shared.poll) } else { shared.poll }
}

/// Does one round, and says how long to rest after it.
async fn round(shared: &Shared) -> Duration {
    let began = Instant::now();
    let Work { keys, arriving, hints } = take(&mut shared.lock());
    let mut rest = LEAST_REST;
    if !keys.is_empty() {
        match statements::show(shared.database.reader(), &keys).await {
            Ok(shown) => {
                rest += began.elapsed() + REST_PER_WATCHER * hand_out(shared, &keys, shown);
                arriving.into_iter().for_each(|(_, answer)| drop(answer.send(Ok(()))));
            }
            Err(error) => {
                tracing::warn!(error = error.reason(), "what is watched could not be read");
                shared.lock().changed.extend(keys);
                arriving.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error.clone()))));
                rest = REST_AFTER_FAILURE;
                shared.wake.notify_one();
            }
        }
    }
    if let Some(hints) = hints {
        replicas::tell(shared, hints).await;
        rest = rest.max(REST_AFTER_SIGNAL);
    }
    rest
}

fn take(state: &mut State) -> Work {
    let mut keys: HashSet<Key> = std::mem::take(&mut state.changed);
    let arriving = std::mem::take(&mut state.arriving);
    keys.extend(arriving.iter().map(|(key, _)| key.clone()));
    Work { keys: keys.into_iter().collect(), arriving, hints: state.hints.take() }
}

/// Shows what was read to whoever has not seen it; how many those are.
fn hand_out(shared: &Shared, keys: &[Key], mut shown: HashMap<Key, counter::Model>) -> u32 {
    let integer = |counter: &Option<Arc<counter::Model>>| counter.as_ref().map(|counter| (counter.id, counter.current));
    let state = shared.lock();
    let mut woken = 0;
    for key in keys {
        let Some(sender) = state.watched.get(key) else { continue };
        let now = shown.remove(key).map(Arc::new);
        // The row is replaced although `current` is the same: a new watcher begins with the newest one.
        let differs =
            sender.send_if_modified(|before| integer(&now) != integer(&std::mem::replace(before, now.clone())));
        if differs {
            woken += u32::try_from(sender.receiver_count()).unwrap_or(u32::MAX);
        }
    }
    woken
}
