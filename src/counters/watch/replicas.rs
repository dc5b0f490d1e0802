//! What the servers of one database tell each other: which counters to look at.
//!
//! A counter is named by a checksum of its key. Two with the same one cost a read too many, nothing else.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::counters::counter::Key;
use crate::counters::watch::{Shared, State};
use crate::error::Error;
use crate::store::MAX_SIGNAL_BYTES;

const CHANNEL: &str = "cloakroom_counters";
/// In place of more names than fit: look at everything.
const EVERYTHING: &str = "*";
/// A checksum in hexadecimal, and a space.
const NAME_BYTES: usize = 9;
/// Before the next attempt to listen.
const PAUSE: Duration = Duration::from_secs(1);

/// The counters that others are to look at.
#[derive(Default)]
pub(super) struct Hints {
    names: HashSet<u32>,
    overflowed: bool,
}

impl Hints {
    pub(super) fn add(&mut self, key: &Key) {
        if self.overflowed || (self.names.len() + 1) * NAME_BYTES > MAX_SIGNAL_BYTES {
            self.overflowed = true;
        } else {
            self.names.insert(name_of(key));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.overflowed
    }

    /// As a signal.
    pub(super) fn take(&mut self) -> Option<String> {
        let Self { names, overflowed } = std::mem::take(self);
        match overflowed {
            true => Some(EVERYTHING.to_owned()),
            false if names.is_empty() => None,
            false => Some(names.iter().map(|name| format!("{name:08x}")).collect::<Vec<_>>().join(" ")),
        }
    }
}

fn name_of(key: &Key) -> u32 {
    let mut name = crc32fast::Hasher::new();
    name.update(key.owner.uuid().as_bytes());
    name.update(key.name.as_bytes());
    name.finalize()
}

/// Tells the others. Lost hints are made up for: the others look for themselves.
pub(super) async fn tell(shared: &Shared, hints: String) {
    if let Err(error) = shared.database.signal(CHANNEL, hints).await {
        tracing::warn!(error = error.reason(), "other servers were not told of changed counters");
    }
}

/// Has every watcher, of this server and of others, read its counter again.
pub(super) async fn tell_all(shared: &Shared) {
    look_at(shared, EVERYTHING);
    if shared.database.has_signals() {
        tell(shared, EVERYTHING.to_owned()).await;
    }
}

/// Listens to the others from the first watcher on, and reads what they hint at.
pub(super) async fn hear(shared: Arc<Shared>) {
    if !shared.database.has_signals() {
        return;
    }
    shared.begun.notified().await;
    loop {
        let outcome = listen(&shared).await;
        shared.hears.store(false, Ordering::SeqCst);
        if let Err(error) = outcome {
            tracing::warn!(error = error.reason(), "other servers are not heard");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen(shared: &Shared) -> Result<(), Error> {
    let Some(mut signals) = shared.database.listen(CHANNEL).await? else { return Ok(()) };
    shared.hears.store(true, Ordering::SeqCst);
    // What was signalled before was not heard.
    look_at(shared, EVERYTHING);
    while let Some(signal) = signals.next().await? {
        look_at(shared, &signal);
    }
    look_at(shared, EVERYTHING);
    Ok(())
}

fn look_at(shared: &Shared, signal: &str) {
    if signal == EVERYTHING {
        shared.doubt_all();
    } else {
        let names: HashSet<u32> = signal.split(' ').filter_map(|name| u32::from_str_radix(name, 16).ok()).collect();
        let mut state = shared.lock();
        let State { watched, changed, .. } = &mut *state;
        changed.extend(watched.keys().filter(|key| names.contains(&name_of(key))).cloned());
        if changed.is_empty() {
            return;
        }
    }
    shared.wake.notify_one();
}
