//! Passwords that other software hashed still open the door, and broken hashes never do.

use serde_json::json;

use crate::support::{PASSWORD, Reply, TestApp, alter};

async fn login(test: &TestApp, password: &str) -> Reply {
    let mutation = "mutation ($password: String!) {
        login(input: { identifier: \"anna\", password: $password }) { user { id } userErrors { code field } } }";
    test.anonymous().run_with(mutation, json!({ "password": password })).await
}

/// What bcrypt, Django, passlib, Werkzeug and argon2-cffi made of `pâssword Å`.
const FOREIGN: [&str; 5] = [
    "UPDATE users SET password_hash = '$2b$04$BjONp/rvj.G2UstdGDCIte/FH28/0rOFIJPmL4bJ1tHUfOBXHYISS'",
    "UPDATE users SET password_hash =
     'pbkdf2_sha256$1200$NaClNaClNaClNaClNaCl22$e8ENcp9DWtXqzXYNRs+nvKP3OBSKVPzroXnLtLmJFMI='",
    "UPDATE users SET password_hash =
     '$pbkdf2-sha256$1200$....LXNpeHRlZW4tYnl0ZQ$FCGFZmO4ZahMRyLMHzoU60eBtHoIVwefO6GAyFbxNXs'",
    "UPDATE users SET password_hash =
     'pbkdf2:sha256:1200$DQoq4lOqrbq05rcR$f36a507b9b689642a5aedcaa685a53c7b978b8fdedc37fb6e5ae95dc63031548'",
    "UPDATE users SET password_hash =
     '$argon2i$v=19$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$qWe+dowES1oK9kVotIbj6irrQUzoUaDIrXHJIVtHmrE'",
];

#[tokio::test]
async fn a_hash_from_elsewhere_opens_to_its_password_alone() {
    let (test, _) = TestApp::with_user().await;
    for sql in FOREIGN {
        alter(&test, sql).await;
        for wrong in [PASSWORD, "password Å", "pâssword Å "] {
            assert_eq!(login(&test, wrong).await.user_errors("login"), ["WRONG_CREDENTIALS"], "{wrong}: {sql}");
        }
        let typed_in_another_way = "pa\u{302}ssword A\u{30a}";
        assert!(login(&test, typed_in_another_way).await.at("/data/login/user").is_object(), "{sql}");
        alter(&test, sql).await;
        assert!(login(&test, "pâssword Å").await.at("/data/login/user").is_object(), "{sql}");
    }
}

/// Other software hashes the bytes as they come: bcrypt made this of `ﬁnal③ answer`, whose NFKC is another text.
#[tokio::test]
async fn a_hash_from_elsewhere_may_be_of_what_was_typed() {
    let (test, _) = TestApp::with_user().await;
    alter(&test, "UPDATE users SET password_hash = '$2b$04$B8Aqj2IEVCOeDL/Iq3iz8u/Vsz/ZStcbjG5P9f3RUusf/YzGk3jru'")
        .await;
    assert_eq!(login(&test, "final3 answer").await.user_errors("login"), ["WRONG_CREDENTIALS"]);
    assert!(login(&test, "ﬁnal③ answer").await.at("/data/login/user").is_object());
}

#[tokio::test]
async fn a_hash_that_cannot_be_read_is_answered_like_a_wrong_password() {
    let (test, _) = TestApp::with_user().await;
    let wrong = login(&test, "wrong horse battery").await;
    assert_eq!(wrong.user_errors("login"), ["WRONG_CREDENTIALS"]);
    for sql in [
        "UPDATE users SET password_hash = ''",
        "UPDATE users SET password_hash = 'correct horse battery'",
        "UPDATE users SET password_hash = '$argon2id$v=19$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ'",
        "UPDATE users SET password_hash = '$2b$31$BjONp/rvj.G2UstdGDCIte/FH28/0rOFIJPmL4bJ1tHUfOBXHYISS'",
    ] {
        alter(&test, sql).await;
        let reply = login(&test, PASSWORD).await;
        assert_eq!((reply.status, &reply.body), (wrong.status, &wrong.body), "{sql}");
    }
}
