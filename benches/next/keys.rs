//! Idempotency keys: each is used once in a run, and all have one length, so that a request is made by patching.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::Context;

/// What a prepared request has where its key goes.
pub(crate) const PLACEHOLDER: &str = "idempotency-key!";

pub(crate) type Key = [u8; PLACEHOLDER.len()];

/// A key that this run has not used.
pub(crate) fn fresh() -> Key {
    static USED: AtomicU64 = AtomicU64::new(0);
    let number = USED.fetch_add(1, Ordering::Relaxed);
    let digits = format!("{number:016x}");
    array::from_fn(|index| digits.as_bytes().get(index).copied().unwrap_or(b'0'))
}

/// Writes the request with the key into `into`.
pub(crate) fn patch(request: &[u8], key: Key, into: &mut Vec<u8>) -> anyhow::Result<()> {
    // From the end, where the variables are.
    let mut windows = request.windows(key.len());
    let at = windows.rposition(|window| window == PLACEHOLDER.as_bytes()).context("the request has a key")?;
    into.clear();
    into.extend_from_slice(request);
    into.get_mut(at..at + key.len()).context("the key's place is in the request")?.copy_from_slice(&key);
    Ok(())
}
