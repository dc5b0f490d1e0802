//! A clock that jumps: counters go on, sessions hold, and only what has expired is refused.

use super::current;
use crate::support::TestApp;

#[tokio::test]
async fn a_clock_that_jumps_two_minutes_changes_no_number_and_no_session() {
    let (mut test, mut user) = TestApp::with_user().await;
    let mut last = 0;
    for seconds in [-120, 120, 120, -120, -120, 240, -120] {
        test.clock.advance(seconds);
        for _ in 0..2 {
            last += 1;
            assert_eq!(user.next().await, last, "after a jump of {seconds} s");
        }
        test.restart().await;
        user = test.bearer(user.token.as_deref());
        assert_eq!(current(&user).await, last);
    }
}

#[tokio::test]
async fn a_token_is_refused_when_it_has_expired_by_the_servers_clock_and_not_before() {
    let (test, user) = TestApp::with_user().await;
    let lifetime = i64::from(test.config.accounts.access_token_seconds);
    let leeway = i64::from(test.config.accounts.token_leeway_seconds);
    test.clock.advance(lifetime - 120);
    assert_eq!(user.next().await, 1);
    test.clock.advance(120 + leeway + 1);
    let refused = user.run("{ current }").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "UNAUTHENTICATED"));
    test.clock.advance(-120 - leeway - 1);
    assert_eq!(user.next().await, 2, "the clock was wrong, not the session");
}
