//! A hash of weaker parameters is replaced at the next login, and nobody notices.

use cloakroom::accounts::user;
use sea_orm::EntityTrait as _;

use super::signed_in::{is_welcome, log_in, login};
use crate::support::TestApp;

async fn stored_hash(test: &TestApp) -> String {
    let user = user::Entity::find().one(test.app.database.reader()).await.expect("users are read");
    user.expect("somebody").password_hash
}

async fn raise(test: &mut TestApp, passes: u32) {
    test.config.accounts.password_passes = passes;
    test.restart().await;
}

#[tokio::test]
async fn the_right_password_alone_brings_the_hash_up_to_date_and_once() {
    let (mut test, _) = TestApp::with_user().await;
    let session = log_in(&test.anonymous(), "anna").await;
    let first = stored_hash(&test).await;
    assert!(first.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{first}");
    raise(&mut test, 3).await;
    assert_eq!(
        login(&test.anonymous(), "anna", "wrong horse battery").await.user_errors("login"),
        ["WRONG_CREDENTIALS"]
    );
    assert_eq!(stored_hash(&test).await, first, "nothing is made of a wrong password");

    log_in(&test.anonymous(), "anna").await;
    let second = stored_hash(&test).await;
    assert!(second.starts_with("$argon2id$v=19$m=64,t=3,p=1$"), "{second}");
    log_in(&test.anonymous(), "anna").await;
    assert_eq!(stored_hash(&test).await, second, "it is good enough now");
    assert!(is_welcome(&test.bearer(session.user.token.as_deref())).await, "sessions live on");
    assert_eq!(
        login(&test.anonymous(), "anna", "wrong horse battery").await.user_errors("login"),
        ["WRONG_CREDENTIALS"]
    );

    raise(&mut test, 1).await;
    log_in(&test.anonymous(), "anna").await;
    assert_eq!(stored_hash(&test).await, second, "a better one is not replaced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_come_at_once_nobody_is_turned_away() {
    let (mut test, _) = TestApp::with_user().await;
    for passes in 2..8 {
        raise(&mut test, passes).await;
        let logins = (0..16).map(|_| {
            let caller = test.anonymous();
            tokio::spawn(async move { log_in(&caller, "anna").await })
        });
        for session in futures_util::future::join_all(logins).await {
            assert!(is_welcome(&session.expect("a session").user).await);
        }
        let hash = stored_hash(&test).await;
        assert!(hash.contains(&format!(",t={passes},")), "{hash}");
    }
}
