//! Clients who take numbers as fast as they can, and remember what they heard.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use tokio::sync::watch;

use super::next;
use crate::support::{PATIENCE, Process};

/// What the clients of one counter heard.
#[derive(Default)]
pub(super) struct Ledger {
    acknowledged: Vec<i64>,
    /// Numbers that may be taken or not: no answer, or one that says that something broke.
    unknown: usize,
}

impl Ledger {
    pub(super) fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.unknown += other.unknown;
    }

    /// Somebody heard that these are theirs.
    pub(super) fn took(&mut self, numbers: std::ops::RangeInclusive<i64>) {
        self.acknowledged.extend(numbers);
    }

    /// So many may be taken or not.
    pub(super) fn lost(&mut self, numbers: usize) {
        self.unknown += numbers;
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    pub(super) fn unknown(&self) -> usize {
        self.unknown
    }

    /// No number twice, all of them taken, and none skipped but those whose answer was lost.
    pub(super) fn check(&self, current: i64) {
        let mut numbers = self.acknowledged.clone();
        numbers.sort_unstable();
        if let Some(pair) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            panic!("{} was given twice", pair[0]);
        }
        let last = numbers.last().copied().unwrap_or_default();
        assert!(last <= current, "{last} was acknowledged and is lost: the counter is at {current}");
        let taken = usize::try_from(current).expect("a count");
        let (acknowledged, unknown) = (numbers.len(), self.unknown);
        assert!(taken <= acknowledged + unknown, "{taken} taken, {acknowledged} acknowledged, {unknown} unknown");
    }
}

/// A crowd of clients on one counter.
pub(super) struct Load {
    taken: watch::Sender<usize>,
    enough: AtomicBool,
}

impl Load {
    pub(super) fn new() -> Self {
        Self { taken: watch::Sender::new(0), enough: AtomicBool::new(false) }
    }

    /// Takes numbers over `connections` until [`Load::stop`], or the server is gone.
    pub(super) async fn run(&self, process: &Process, token: &str, connections: usize) -> Ledger {
        let mut ledger = Ledger::default();
        let clients = (0..connections).map(|_| self.client(process, token));
        let heard = tokio::time::timeout(PATIENCE, join_all(clients)).await.expect("every client hears something");
        heard.into_iter().for_each(|one| ledger.add(one));
        ledger
    }

    async fn client(&self, process: &Process, token: &str) -> Ledger {
        let mut ledger = Ledger::default();
        while !self.enough.load(Ordering::SeqCst) {
            match next(process, token).await {
                Some(Ok(number)) => {
                    ledger.acknowledged.push(number);
                    self.taken.send_modify(|taken| *taken += 1);
                }
                // Nothing was taken, it says.
                Some(Err(code)) if code == "UNAVAILABLE" => {}
                Some(Err(code)) => {
                    assert_eq!(code, "INTERNAL_SERVER_ERROR");
                    ledger.unknown += 1;
                }
                None => {
                    ledger.unknown += 1;
                    break;
                }
            }
        }
        ledger
    }

    /// Waits until the clients have so many numbers.
    pub(super) async fn reached(&self, numbers: usize) {
        let mut taken = self.taken.subscribe();
        let reached = tokio::time::timeout(PATIENCE, taken.wait_for(|taken| *taken >= numbers)).await;
        assert!(reached.is_ok(), "the load comes to {numbers} numbers");
    }

    pub(super) fn stop(&self) {
        self.enough.store(true, Ordering::SeqCst);
    }
}
