//! What an access token says, and when it is believed (J3, J4, J6).

use cloakroom::accounts::session;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::forger::{Forger, assert_refused, assert_taken, parts, signed_by, token_of};
use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_token_carries_nothing_personal_and_lives_15_minutes() {
    let (test, user) = TestApp::with_user().await;
    let (header, claims) = parts(&token_of(&user));
    let names = |object: &Value| object.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&header), ["typ", "alg", "kid"]);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    assert_eq!(names(&claims), ["iss", "aud", "sub", "sid", "gen", "jti", "iat", "nbf", "exp"]);
    let now = test.clock.now().timestamp();
    assert_eq!((&claims["iat"], &claims["nbf"], &claims["exp"]), (&json!(now), &json!(now - 120), &json!(now + 900)));
    let id = user.run("{ viewer { user { id } } }").await;
    assert_eq!(&claims["sub"], id.at("/data/viewer/user/id"), "an id that says nothing");
}

#[tokio::test]
async fn every_claim_is_required() {
    let (test, forger) = Forger::start().await;
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
        assert_refused(&test, &forger.with_claim(claim, Value::Null)).await;
    }
    assert_taken(&test, &forger.token()).await;
}

#[tokio::test]
async fn claims_of_another_type_are_refused() {
    let (test, forger) = Forger::start().await;
    for claim in ["iss", "aud", "sub", "sid", "gen", "jti", "iat", "nbf", "exp"] {
        for value in [json!(true), json!({ "x": 1 }), json!([[1]]), json!(-1.5e300)] {
            assert_refused(&test, &forger.with_claim(claim, value)).await;
        }
    }
    for claim in ["iat", "nbf", "exp"] {
        assert_refused(&test, &forger.with_claim(claim, json!(forger.claims[claim].to_string()))).await;
    }
    for exp in [json!(i64::MIN), json!(u64::MAX), json!(-1), json!(0)] {
        assert_refused(&test, &forger.with_claim("exp", exp)).await;
    }
    assert_refused(&test, &forger.with_claim("nbf", json!(i64::MAX))).await;
    assert_taken(&test, &forger.with_claim("nbf", json!(0))).await;
}

/// A key that leaked is good for no token that lasts longer than the server's own.
#[tokio::test]
async fn a_token_that_would_last_longer_than_the_servers_own_is_refused() {
    let (test, forger) = Forger::start().await;
    let now = test.clock.now().timestamp();
    for exp in [now + 901, now + 3600, now + 315_360_000, i64::MAX] {
        assert_refused(&test, &forger.with_claim("exp", json!(exp))).await;
    }
    for iat in [now - 1, 0, -1, i64::MIN] {
        assert_refused(&test, &forger.with_claim("iat", json!(iat))).await;
    }
    // Made in the future, so that its length is right.
    let made_at = |iat: i64| {
        let mut claims = forger.claims.clone();
        (claims["iat"], claims["exp"], claims["nbf"]) = (json!(iat), json!(iat.saturating_add(900)), json!(now));
        signed_by(&forger.header, &claims, |message| forger.key.sign(message).as_ref().to_vec())
    };
    for iat in [now + 151, now + 86_400, now + 315_360_000, i64::MAX] {
        assert_refused(&test, &made_at(iat)).await;
    }
    assert_taken(&test, &made_at(now + 150)).await;
    assert_taken(&test, &made_at(now - 929)).await;
    assert_refused(&test, &made_at(now - 930)).await;
}

#[tokio::test]
async fn a_setting_that_was_lowered_ends_tokens_that_were_made_for_longer() {
    let (mut test, user) = TestApp::with_user().await;
    test.config.accounts.access_token_seconds = 600;
    test.restart().await;
    assert_refused(&test, &token_of(&user)).await;
    assert_taken(&test, &token_of(&test.sign_up("berta").await)).await;
}

/// As a version made them that had no generations yet.
#[tokio::test]
async fn a_token_without_a_generation_is_taken_until_it_expires() {
    let (test, forger) = Forger::start().await;
    let token = forger.with_claim("gen", Value::Null);
    assert_taken(&test, &token).await;
    test.clock.advance(900 + 30);
    assert_refused(&test, &token).await;
}

#[tokio::test]
async fn another_issuer_is_refused() {
    let (test, forger) = Forger::start().await;
    for issuer in ["https://elsewhere.example", "", "Cloakroom", "cloakroom "] {
        assert_refused(&test, &forger.with_claim("iss", json!(issuer))).await;
    }
}

#[tokio::test]
async fn another_audience_is_refused() {
    let (test, forger) = Forger::start().await;
    for audience in ["elsewhere", "", "Cloakroom", "cloakroom/"] {
        assert_refused(&test, &forger.with_claim("aud", json!(audience))).await;
    }
    assert_refused(&test, &forger.with_claim("aud", json!(["elsewhere"]))).await;
}

#[tokio::test]
async fn a_server_of_another_name_refuses_tokens_of_this_one() {
    let other = TestApp::with_config(|config| config.accounts.token_audience = "other".to_owned()).await;
    let user = other.sign_up("anna").await;
    let forger = Forger::of(other.data_dir(), &token_of(&user));
    assert_eq!(forger.claims["aud"], "other");
    assert_taken(&other, &forger.token()).await;
    assert_refused(&other, &forger.with_claim("aud", json!("cloakroom"))).await;
}

#[tokio::test]
async fn a_subject_or_session_that_is_no_id_is_refused() {
    let (test, forger) = Forger::start().await;
    let (sub, sid) = (forger.claims["sub"].clone(), forger.claims["sid"].clone());
    for nonsense in [json!(""), json!("anna"), json!("usr_"), json!("ses_0"), json!("' OR 1=1 --"), json!("a\0b")] {
        assert_refused(&test, &forger.with_claim("sub", nonsense.clone())).await;
        assert_refused(&test, &forger.with_claim("sid", nonsense)).await;
    }
    assert_refused(&test, &forger.with_claim("sub", sid)).await;
    assert_refused(&test, &forger.with_claim("sid", sub)).await;
}

#[tokio::test]
async fn a_session_is_nobody_elses() {
    let (test, forger) = Forger::start().await;
    let berta = Forger::of(test.data_dir(), &token_of(&test.sign_up("berta").await));
    assert_refused(&test, &forger.with_claim("sub", berta.claims["sub"].clone())).await;
    assert_refused(&test, &forger.with_claim("sid", berta.claims["sid"].clone())).await;
}

#[tokio::test]
async fn a_token_of_a_deleted_session_is_refused() {
    let (test, forger) = Forger::start().await;
    test.app
        .database
        .write(|transaction| {
            Box::pin(async move { Ok(session::Entity::delete_many().exec(transaction).await?.rows_affected) })
        })
        .await
        .expect("the session is deleted");
    assert_refused(&test, &forger.token()).await;
}

#[tokio::test]
async fn an_expired_token_is_refused_whether_it_is_remembered_or_not() {
    let (test, forger) = Forger::start().await;
    let (remembered, new) = (forger.token(), forger.with_claim("jti", json!("0199f3d2-c1a4-7c0e-8d2f-6a5b4c3d2e1f")));
    assert_taken(&test, &remembered).await;
    test.clock.advance(900 + 29);
    assert_taken(&test, &remembered).await;
    assert_taken(&test, &forger.with_claim("jti", json!("0199f3d2-c1a4-7c0e-8d2f-6a5b4c3d2e20"))).await;
    test.clock.advance(1);
    assert_refused(&test, &remembered).await;
    assert_refused(&test, &remembered).await;
    assert_refused(&test, &new).await;
}

#[tokio::test]
async fn clocks_may_differ_by_30_seconds_either_way() {
    let (test, forger) = Forger::start().await;
    let now = test.clock.now().timestamp();
    assert_taken(&test, &forger.with_claim("exp", json!(now - 29))).await;
    assert_refused(&test, &forger.with_claim("exp", json!(now - 30))).await;
    assert_taken(&test, &forger.with_claim("nbf", json!(now + 30))).await;
    assert_refused(&test, &forger.with_claim("nbf", json!(now + 31))).await;
    assert_refused(&test, &forger.with_claim("nbf", json!(now + 86_400))).await;
}

#[tokio::test]
async fn a_token_does_not_outlive_its_session() {
    let test = TestApp::with_config(|config| {
        config.accounts.access_token_seconds = 3600;
        config.accounts.refresh_token_seconds = 3600;
    })
    .await;
    let user = test.sign_up("anna").await;
    test.clock.advance(3600);
    assert_refused(&test, &token_of(&user)).await;
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    let test = TestApp::start().await;
    let sign_up = format!(
        r#"mutation {{ signUp(input: {{ username: "anna", password: "{PASSWORD}" }}) {{ tokens {{ refreshToken }} }} }}"#
    );
    let reply = test.anonymous().run(&sign_up).await;
    assert_refused(&test, reply.at("/data/signUp/tokens/refreshToken").as_str().expect("a token")).await;
}
