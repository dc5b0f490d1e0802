//! `next`, ranges, `current` and `setCurrent` mixed, against the model of one integer.

use std::sync::Arc;

use super::history::{Recorder, What, check};
use super::{all, current};
use crate::support::{Random, TestApp};

const CLIENTS: u64 = 24;
const CALLS: u64 = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_current_keeps_its_place_among_concurrent_calls_of_next() {
    let mut random = Random::seeded();
    let (_test, user) = TestApp::with_user().await;
    let recorder = Arc::new(Recorder::default());
    let client = |client: u64| {
        let choices: Vec<u64> = (0..CALLS).map(|_| random.below(9)).collect();
        let (user, recorder) = (user.clone(), Arc::clone(&recorder));
        async move {
            let mut events = Vec::new();
            let mut seen = 0;
            for (call, choice) in (0..).zip(choices) {
                // So far apart that no integer is reached twice, which is what makes the check simple.
                let lone = i64::try_from((client * CALLS + call + 1) * 1_000_000).expect("a safe integer");
                let event = match choice {
                    0 => recorder.set(&user, lone, None).await,
                    1 => recorder.current(&user).await,
                    2 | 3 => recorder.set(&user, lone + 500_000, Some(seen)).await,
                    4 => recorder.range([&user, &user], 1 + lone % 7_000, &lone.to_string()).await,
                    _ => recorder.next(&user).await,
                };
                if let What::Moved { to: integer, .. } | What::Shown(integer) = event.what {
                    seen = integer;
                }
                events.push(event);
            }
            events
        }
    };
    let history = all((0..CLIENTS).map(client).collect::<Vec<_>>()).await.concat();
    check(&history, current(&user).await);
    let refused = history.iter().filter(|event| event.what == What::Refused).count();
    assert!(refused > 0, "without a conflict the load was none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_expect_the_same_integer_one_sets_the_next() {
    let (_test, user) = TestApp::with_user().await;
    let recorder = Arc::new(Recorder::default());
    for round in 0..10 {
        let set = |client| {
            let (user, recorder) = (user.clone(), Arc::clone(&recorder));
            async move { recorder.set(&user, (round + 1) * 1000 + client, Some(round * 1000)).await.what }
        };
        let heard = all((0..16).map(set)).await;
        let won: Vec<_> = heard.into_iter().filter(|what| *what != What::Refused).collect();
        let [What::Moved { from, to }] = won[..] else { panic!("one wins, not {won:?}") };
        assert_eq!((from, to), (round * 1000, current(&user).await));
        super::set(&user, (round + 1) * 1000).await;
    }
}
