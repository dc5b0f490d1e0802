//! More writes than may wait, callers who do not wait, and a server that stops while some do.

use super::{NEXT, all, current, number};
use crate::support::{Caller, Random, TestApp};

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_without_effect() {
    let test = TestApp::with_config(|config| config.counters.queue = 3).await;
    let user = test.sign_up("anna").await;
    assert_eq!(user.next().await, 1);
    let call = |_| {
        let user = user.clone();
        async move { user.run(NEXT).await }
    };
    let (taken, refused): (Vec<_>, Vec<_>) =
        all((0..40).map(call)).await.into_iter().partition(|reply| number(reply).is_ok());
    assert!(!taken.is_empty() && !refused.is_empty(), "{} taken, {} refused", taken.len(), refused.len());
    for reply in refused {
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "UNAVAILABLE"));
        assert_eq!(reply.header("retry-after"), "1");
        assert!(reply.has_no_result(), "{}", reply.body);
    }
    let mut numbers: Vec<i64> = taken.iter().filter_map(|reply| number(reply).ok()).collect();
    numbers.sort_unstable();
    let expected: Vec<i64> = (2..).take(taken.len()).collect();
    assert_eq!(numbers, expected, "no gap where calls were refused");
    assert_eq!(user.next().await, expected[expected.len() - 1] + 1);
}

/// Calls, and goes away when the runtime has turned `turns` times.
async fn give_up_after(user: Caller, turns: u64) -> Option<i64> {
    let patience = async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        reply = user.run(NEXT) => Some(number(&reply).expect("a number")),
        () = patience => None,
    }
}

#[tokio::test]
async fn callers_who_go_away_do_not_break_the_batch() {
    let mut random = Random::seeded();
    let (_test, user) = TestApp::with_user().await;
    let mut given = Vec::new();
    let mut gone = 0;
    for _ in 0..12 {
        let turns: Vec<u64> = (0..24).map(|_| random.below(12)).collect();
        let impatient = turns.into_iter().map(|turns| give_up_after(user.clone(), turns));
        let patient = (0..8).map(|_| give_up_after(user.clone(), u64::MAX));
        let calls: Vec<_> = impatient.map(|call| (false, call)).chain(patient.map(|call| (true, call))).collect();
        for (stayed, number) in all(calls.into_iter().map(|(stayed, call)| async move { (stayed, call.await) })).await {
            assert!(number.is_some() || !stayed, "a caller who stays is answered");
            match number {
                Some(number) => given.push(number),
                None => gone += 1,
            }
        }
    }
    let last = current(&user).await;
    let count = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), count, "no number twice");
    assert!(gone > 0, "everybody stayed");
    let taken = usize::try_from(last).expect("a count");
    assert!((count..=count + gone).contains(&taken), "{taken} taken, {count} answered, {gone} gone");
    assert!(user.next().await > given[count - 1]);
}

#[tokio::test]
async fn stopping_commits_and_answers_everything_that_waits() {
    let (mut test, user) = TestApp::with_user().await;
    assert_eq!(user.next().await, 1);
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let user = user.clone();
            tokio::spawn(async move { number(&user.run(NEXT).await) })
        })
        .collect();
    // One turn of the runtime, in which some get in line: more would let the commit go by.
    tokio::task::yield_now().await;
    let answered = waiting.iter().filter(|call| call.is_finished()).count();
    test.app.stop().await;
    let mut numbers = Vec::new();
    for call in waiting {
        match call.await.expect("no panic") {
            Ok(number) => numbers.push(number),
            Err(code) => assert_eq!(code, "UNAVAILABLE", "whoever came too late hears so"),
        }
    }
    assert!(numbers.len() > answered, "{answered} had their answers before the end, and nobody waited");
    numbers.sort_unstable();
    let expected: Vec<i64> = (2..).take(numbers.len()).collect();
    assert_eq!(numbers, expected);

    assert_eq!(number(&user.run(NEXT).await), Err("UNAVAILABLE".to_owned()), "nothing is begun after the end");
    test.restart().await;
    assert_eq!(current(&test.bearer(user.token.as_deref())).await, expected[expected.len() - 1]);
}
