//! What happened, with the times of calls and answers: enough to tell whether one counter behaved as if each
//! call had happened at one moment between the two (linearizability).

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::number;
use crate::support::Caller;

/// A call and its outcome. Times are places in one order of all calls and answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) called: u64,
    pub(super) answered: u64,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The counter went from one integer to another.
    Moved { from: i64, to: i64 },
    /// The counter showed this integer.
    Shown(i64),
    /// A `setCurrent` was refused: the integer was not the expected one.
    Refused,
}

/// The clock of a history: it ticks at each call and each answer.
#[derive(Default)]
pub(super) struct Recorder(AtomicU64);

impl Recorder {
    pub(super) async fn next(&self, caller: &Caller) -> Event {
        self.record(async {
            let value = number(&caller.run(super::NEXT).await).expect("a number");
            What::Moved { from: value - 1, to: value }
        })
        .await
    }

    /// A range, asked for at both doors at once under one key: both hear the same, and one that it is a replay.
    pub(super) async fn range(&self, doors: [&Caller; 2], count: i64, key: &str) -> Event {
        let input = format!("count: {count}, idempotencyKey: \"{key}\"");
        self.record(async {
            let (one, other) = tokio::join!(super::take(doors[0], &input), super::take(doors[1], &input));
            let (first, last) = super::range(&one).expect("a range");
            assert_eq!(super::range(&other), Ok((first, last)), "{key}");
            let replayed = [&one, &other].map(|reply| reply.data()["next"]["replayed"] == true);
            assert_ne!(replayed[0], replayed[1], "one of them took it");
            assert_eq!(last - first, count - 1);
            What::Moved { from: first - 1, to: last }
        })
        .await
    }

    pub(super) async fn current(&self, caller: &Caller) -> Event {
        self.record(async { What::Shown(super::current(caller).await) }).await
    }

    pub(super) async fn set(&self, caller: &Caller, current: i64, if_current: Option<i64>) -> Event {
        let mutation = "mutation ($input: SetCurrentInput!) { setCurrent(input: $input) {
            previous counter { current } userErrors { code field } } }";
        let input = serde_json::json!({ "input": { "current": current, "ifCurrent": if_current } });
        self.record(async {
            let reply = caller.run_with(mutation, input).await;
            let payload = &reply.data()["setCurrent"];
            match payload["previous"].as_i64() {
                Some(from) => {
                    assert_eq!(payload["counter"]["current"], current);
                    assert!(if_current.is_none_or(|expected| expected == from), "{}", reply.body);
                    What::Moved { from, to: current }
                }
                None => {
                    assert_eq!(reply.user_errors("setCurrent"), ["CONFLICT input.ifCurrent"]);
                    assert_eq!(payload["counter"], Value::Null);
                    What::Refused
                }
            }
        })
        .await
    }

    async fn record(&self, call: impl Future<Output = What>) -> Event {
        let called = self.0.fetch_add(1, Ordering::SeqCst);
        let what = call.await;
        Event { called, answered: self.0.fetch_add(1, Ordering::SeqCst), what }
    }
}

/// Checks one counter's history from 0 to `last`, in which no integer was reached twice: the moves form one
/// path, and neither they nor what was shown contradict the order in time.
pub(super) fn check(history: &[Event], last: i64) {
    let mut moves: std::collections::HashMap<i64, (i64, Event)> = std::collections::HashMap::new();
    for event in history {
        if let What::Moved { from, to } = event.what {
            let twice = moves.insert(from, (to, *event));
            assert!(twice.is_none(), "two calls went on from {from}: {event:?} {twice:?}");
        }
    }
    let mut path = Vec::new();
    let mut at = 0;
    let mut places = std::collections::HashMap::from([(0, 0)]);
    while let Some((to, event)) = moves.remove(&at) {
        path.push(event);
        at = to;
        assert!(places.insert(at, path.len()).is_none(), "{at} was reached twice");
    }
    assert!(moves.is_empty(), "{} moves are not on the path, which ends at {at}: {moves:?}", moves.len());
    assert_eq!(at, last, "the path ends where the counter is");
    check_order(history, &path, &places);
}

fn check_order(history: &[Event], path: &[Event], places: &std::collections::HashMap<i64, usize>) {
    for (place, event) in path.iter().enumerate() {
        let late = path[place..].iter().find(|later| later.answered < event.called);
        assert!(late.is_none(), "{late:?} was answered before {event:?} was called, and comes after it");
    }
    let mut shown: Vec<(usize, Event)> = Vec::new();
    for event in history {
        let What::Shown(integer) = event.what else { continue };
        let place = *places.get(&integer).unwrap_or_else(|| panic!("{integer} was never there, and shown"));
        let missed = path[place..].iter().find(|done| done.answered < event.called);
        assert!(missed.is_none(), "{event:?} does not show {missed:?}, which was acknowledged before");
        let future = path[..place].iter().find(|done| done.called > event.answered);
        assert!(future.is_none(), "{event:?} shows {future:?} before it was called");
        let back = shown.iter().find(|(other, earlier)| *other > place && earlier.answered < event.called);
        assert!(back.is_none(), "{event:?} shows less than {back:?}");
        shown.push((place, *event));
    }
}
