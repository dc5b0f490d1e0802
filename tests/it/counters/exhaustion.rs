//! The end of a counter: clean, for its owner alone, and not for ever.

use super::{NEXT, all, current, number, set};
use crate::support::TestApp;

const MAX: i64 = 9_007_199_254_740_991;

#[tokio::test]
async fn the_last_numbers_are_given_once_and_the_rest_is_refused() {
    let (test, anna) = TestApp::with_user().await;
    let others = [test.sign_up("bob").await, test.sign_up("carol").await];
    set(&anna, MAX - 3).await;
    assert_eq!((others[0].next().await, others[1].next().await), (1, 1));

    // Three callers of Anna's for each of the others', in one batch.
    let call = |call: usize| {
        let caller = if call.is_multiple_of(2) { anna.clone() } else { others[call / 2 % 2].clone() };
        async move { (call.is_multiple_of(2), number(&caller.run(NEXT).await)) }
    };
    let (hers, theirs): (Vec<_>, Vec<_>) = all((0..20).map(call)).await.into_iter().partition(|(hers, _)| *hers);
    let (taken, refused): (Vec<_>, Vec<_>) = hers.into_iter().map(|(_, outcome)| outcome).partition(Result::is_ok);
    let mut taken: Vec<i64> = taken.into_iter().flatten().collect();
    taken.sort_unstable();
    assert_eq!(taken, [MAX - 2, MAX - 1, MAX]);
    assert_eq!(refused, vec![Err("COUNTER_EXHAUSTED".to_owned()); 7]);
    let mut theirs: Vec<i64> = theirs.into_iter().filter_map(|(_, outcome)| outcome.ok()).collect();
    theirs.sort_unstable();
    assert_eq!(theirs, [2, 2, 3, 3, 4, 4, 5, 5, 6, 6], "the others are not concerned");
    assert_eq!(current(&anna).await, MAX);
}

#[tokio::test]
async fn an_exhausted_counter_stays_at_its_end_until_it_is_set_back() {
    let (mut test, mut anna) = TestApp::with_user().await;
    set(&anna, MAX).await;
    for _ in 0..2 {
        for _ in 0..3 {
            let refused = anna.run(NEXT).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (200, "COUNTER_EXHAUSTED"));
            let message = refused.at("/errors/0/message").as_str().expect("a message");
            assert!(message.contains(&MAX.to_string()), "it names the limit: {message}");
            assert_eq!(current(&anna).await, MAX);
        }
        test.restart().await;
        anna = test.bearer(anna.token.as_deref());
    }
    set(&anna, 5).await;
    assert_eq!(anna.next().await, 6);
}
