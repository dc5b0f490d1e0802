//! 256 clients at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::history::{Recorder, What, check};
use super::{all, current};
use crate::support::{Caller, TestApp};

const CLIENTS: usize = 256;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn next_is_never_repeated_and_never_behind_what_was_acknowledged_under_load() {
    let (_test, user) = TestApp::with_user().await;
    let recorder = Arc::new(Recorder::default());
    let client = |_| {
        let (user, recorder) = (user.clone(), Arc::clone(&recorder));
        async move {
            let mut events = Vec::new();
            for _ in 0..6 {
                events.push(recorder.next(&user).await);
            }
            events.push(recorder.current(&user).await);
            events
        }
    };
    let heard = all((0..CLIENTS).map(client)).await;
    for events in &heard {
        let numbers: Vec<_> = events.iter().map(|event| event.what).collect();
        let rising = numbers.windows(2).all(|pair| integer(pair[0]) <= integer(pair[1]));
        assert!(rising, "a client's later number is greater: {numbers:?}");
    }
    let last = i64::try_from(CLIENTS * 6).expect("a small number");
    check(&heard.concat(), last);
    assert_eq!(current(&user).await, last);
}

fn integer(what: What) -> i64 {
    match what {
        What::Moved { to: integer, .. } | What::Shown(integer) => integer,
        What::Refused => panic!("nothing is refused here"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_counters_are_each_gap_free_under_load() {
    const COUNTERS: usize = 1000;
    const NUMBERS: usize = 3;
    let test = Arc::new(TestApp::start().await);
    let users: Arc<Vec<Caller>> = Arc::new(side_by_side(&test, COUNTERS).await);
    let ticket = Arc::new(AtomicUsize::new(0));
    let client = |_| {
        let (users, ticket) = (Arc::clone(&users), Arc::clone(&ticket));
        async move {
            let mut heard = Vec::new();
            loop {
                let ticket = ticket.fetch_add(1, Ordering::SeqCst);
                if ticket >= COUNTERS * NUMBERS {
                    return heard;
                }
                // Neighbouring tickets are the same counter's now and then, so that lines have more than one.
                let user = ticket / 2 % COUNTERS;
                heard.push((user, users[user].next().await));
            }
        }
    };
    let mut by_user: HashMap<usize, Vec<i64>> = HashMap::new();
    for (user, number) in all((0..CLIENTS).map(client)).await.concat() {
        by_user.entry(user).or_default().push(number);
    }
    assert_eq!(by_user.values().map(Vec::len).sum::<usize>(), COUNTERS * NUMBERS);
    for (user, mut numbers) in by_user {
        numbers.sort_unstable();
        let expected: Vec<i64> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "of user {user}");
        assert_eq!(current(&users[user]).await, expected[expected.len() - 1], "of user {user}");
    }
}

/// So many new users; a few sign up at a time.
async fn side_by_side(test: &Arc<TestApp>, users: usize) -> Vec<Caller> {
    const AT_A_TIME: usize = 8;
    let clerk = |clerk| {
        let test = Arc::clone(test);
        async move {
            let mut signed_up = Vec::new();
            for user in (clerk..users).step_by(AT_A_TIME) {
                signed_up.push(test.sign_up(&format!("user{user}")).await);
            }
            signed_up
        }
    };
    all((0..AT_A_TIME).map(clerk)).await.concat()
}
