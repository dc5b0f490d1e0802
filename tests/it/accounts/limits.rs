//! How often may be tried what: each bucket by itself, and nobody else's.

use cloakroom::config::{Bucket, Limits};
use serde_json::json;

use super::signed_in::{is_welcome, log_in, login, refresh, refreshed, stranger};
use crate::support::{Caller, PASSWORD, Reply, TestApp};

const WRONG: &str = "wrong horse battery";

/// Two at once, and one more every minute.
const TWO: Bucket = Bucket { burst: 2, per_hour: 60 };

async fn with_limits(adapt: impl FnOnce(&mut Limits)) -> TestApp {
    TestApp::with_config(|config| adapt(&mut config.limits)).await
}

async fn reset(caller: &Caller, email: &str) -> Reply {
    let mutation = "mutation ($email: String!) { requestPasswordReset(input: { email: $email }) { accepted } }";
    caller.run_with(mutation, json!({ "email": email })).await
}

async fn sign_up(caller: &Caller, username: &str) -> Reply {
    let mutation = "mutation ($name: String!, $password: String!) {
        signUp(input: { username: $name, password: $password }) { user { id } userErrors { code } } }";
    caller.run_with(mutation, json!({ "name": username, "password": PASSWORD })).await
}

fn is_limited(reply: &Reply) -> bool {
    let limited = reply.code() == "RATE_LIMITED";
    assert_eq!(limited, reply.status.as_u16() == 429, "{}", reply.body);
    limited
}

#[track_caller]
fn assert_limited(reply: &Reply, seconds: u64) {
    assert!(is_limited(reply), "{}", reply.body);
    assert_eq!(reply.header("retry-after"), seconds.to_string());
    assert_eq!(reply.at("/errors/0/extensions/retryAfterSeconds"), &json!(seconds));
    assert!(reply.has_no_result(), "{}", reply.body);
}

#[tokio::test]
async fn logins_are_limited_by_address_whatever_comes_of_them() {
    let test = with_limits(|limits| limits.login_per_address = TWO).await;
    test.sign_up("anna").await;
    let (here, there) = (stranger(&test, "203.0.113.7"), stranger(&test, "203.0.113.8"));
    assert!(!is_limited(&login(&here, "anna", PASSWORD).await));
    assert!(!is_limited(&login(&here, "nobody", WRONG).await));
    assert_limited(&login(&here, "anna", PASSWORD).await, 60);
    assert!(!is_limited(&login(&there, "anna", PASSWORD).await), "others are not concerned");
    test.clock.advance(59);
    assert_limited(&login(&here, "anna", PASSWORD).await, 1);
    test.clock.advance(1);
    assert!(!is_limited(&login(&here, "anna", PASSWORD).await), "one more a minute");
    assert_limited(&login(&here, "anna", PASSWORD).await, 60);
    test.clock.advance(3600);
    assert!(test.app.accounts.sweep().await.is_ok());
    for limited in [false, false, true] {
        assert_eq!(is_limited(&login(&here, "anna", PASSWORD).await), limited, "at most two are saved up");
    }
}

#[tokio::test]
async fn what_is_malformed_costs_nothing() {
    let test = with_limits(|limits| limits.login_per_address = TWO).await;
    let here = stranger(&test, "203.0.113.7");
    for _ in 0..5 {
        assert_eq!(login(&here, "anna", "").await.user_errors("login"), ["REQUIRED input.password"]);
    }
    assert!(!is_limited(&login(&here, "anna", WRONG).await));
}

#[tokio::test]
async fn the_sweep_forgets_nobody_who_is_still_limited() {
    let test = with_limits(|limits| limits.login_per_address = TWO).await;
    let here = stranger(&test, "203.0.113.7");
    for limited in [false, false, true] {
        assert_eq!(is_limited(&login(&here, "anna", WRONG).await), limited);
    }
    assert!(test.app.accounts.sweep().await.is_ok());
    assert!(is_limited(&login(&here, "anna", WRONG).await));
}

/// P6: neither the limit nor when it comes tells who exists.
#[tokio::test]
async fn logins_are_limited_by_what_was_typed_whether_anybody_is_called_so() {
    let test = with_limits(|limits| limits.login_per_account = TWO).await;
    test.sign_up("anna").await;
    let mut seen = Vec::new();
    for (spellings, other) in
        [(["anna", "ＡNNA", " anna "], "anna@example.org"), (["nobody", "NOBODY", "nobody"], "nobody@x.org")]
    {
        let mut answers = Vec::new();
        for (at, identifier) in spellings.into_iter().enumerate() {
            answers.push(login(&stranger(&test, &format!("203.0.113.{at}")), identifier, WRONG).await);
        }
        // Were the two one bucket, this would tell whose address it is.
        answers.push(login(&stranger(&test, "203.0.113.9"), other, WRONG).await);
        seen.push(answers.into_iter().map(|reply| (reply.status, reply.body)).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1]);
    let codes: Vec<u16> = seen[0].iter().map(|(status, _)| status.as_u16()).collect();
    assert_eq!(codes, [200, 200, 429, 200]);
}

#[tokio::test]
async fn a_name_that_looks_like_an_id_spends_nobody_elses_attempts() {
    let test = with_limits(|limits| limits.login_per_account = TWO).await;
    let anna = test.sign_up("anna").await;
    let id = super::signed_in::own_id(&anna).await;
    for _ in 0..4 {
        login(&stranger(&test, "198.51.100.66"), &id, WRONG).await;
    }
    let change = json!({ "input": { "currentPassword": PASSWORD, "newPassword": "purple tractor moonlight" } });
    let mutation = "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { userErrors { code } } }";
    assert_eq!(anna.run_with(mutation, change).await.data()["changePassword"]["userErrors"], json!([]));
}

#[tokio::test]
async fn sign_ups_are_limited_by_address() {
    let test = with_limits(|limits| limits.sign_up_per_address = TWO).await;
    let here = stranger(&test, "203.0.113.7");
    for name in ["anna", "bert"] {
        assert!(sign_up(&here, name).await.at("/data/signUp/user").is_object());
    }
    assert_limited(&sign_up(&here, "carl").await, 60);
    assert!(!is_limited(&sign_up(&stranger(&test, "203.0.113.8"), "carl").await));
    assert!(!is_limited(&login(&here, "anna", PASSWORD).await), "a login has a bucket of its own");
}

#[tokio::test]
async fn requests_for_mails_are_limited_by_who_asks() {
    let test = with_limits(|limits| limits.mail_per_address = TWO).await;
    test.sign_up("anna").await;
    let here = stranger(&test, "203.0.113.7");
    for email in ["anna@example.org", "nobody@example.org"] {
        assert_eq!(reset(&here, email).await.data()["requestPasswordReset"]["accepted"], true);
    }
    assert_limited(&reset(&here, "anna@example.org").await, 60);
    assert!(!is_limited(&reset(&stranger(&test, "203.0.113.8"), "anna@example.org").await));
}

#[tokio::test]
async fn requests_for_mails_are_limited_by_who_gets_them_whether_they_are_known() {
    let test = with_limits(|limits| limits.mail_per_account = TWO).await;
    test.sign_up("anna").await;
    for email in ["anna@example.org", "nobody@example.org"] {
        let mut limited = Vec::new();
        for _ in 0..3 {
            limited.push(is_limited(&reset(&stranger(&test, "203.0.113.7"), &email.replace('a', "A")).await));
        }
        assert_eq!(limited, [false, false, true], "{email}");
        assert!(!is_limited(&reset(&stranger(&test, "203.0.113.8"), email).await), "others have a bucket of their own");
    }
    assert!(!is_limited(&login(&test.anonymous(), "anna", PASSWORD).await));
}

#[tokio::test]
async fn refreshes_are_limited_by_address_and_by_session_and_nothing_ends() {
    let by_address: fn(&mut Limits) = |limits| limits.refresh_per_address = TWO;
    let by_session: fn(&mut Limits) = |limits| limits.refresh_per_session = TWO;
    for (adapt, elsewhere_limited, other_limited) in [(by_address, false, true), (by_session, true, false)] {
        let test = with_limits(adapt).await;
        test.sign_up("anna").await;
        let here = stranger(&test, "203.0.113.7");
        let (this, other) = (log_in(&here, "anna").await, log_in(&here, "anna").await);
        let mut token = this.refresh_token.clone();
        for _ in 0..2 {
            token = refreshed(&refresh(&here, &token).await);
        }
        assert_limited(&refresh(&here, &token).await, 60);
        // Also what would end the session, were it looked at.
        assert_limited(&refresh(&here, &this.refresh_token).await, 60);
        assert!(is_welcome(&this.user).await, "a limit ends nothing and stops no request");
        assert_eq!(is_limited(&refresh(&here, &other.refresh_token).await), other_limited);
        assert_eq!(is_limited(&refresh(&stranger(&test, "203.0.113.8"), &token).await), elsewhere_limited);
        assert!(!is_limited(&login(&here, "anna", PASSWORD).await), "a login has a bucket of its own");
        test.clock.advance(120);
        let heard = refresh(&here, &token).await;
        assert!(heard.at("/data/refreshTokens/tokens").is_object(), "it goes on: {}", heard.body);
    }
}

#[tokio::test]
async fn a_burst_of_zero_takes_the_limit_away() {
    let test = with_limits(|limits| limits.sign_up_per_address = TWO).await;
    test.sign_up("anna").await;
    let here = stranger(&test, "203.0.113.7");
    for _ in 0..100 {
        assert!(!is_limited(&reset(&here, "anna@example.org").await));
    }
    for _ in 0..30 {
        assert!(!is_limited(&login(&here, "anna", WRONG).await));
    }
}

#[tokio::test]
async fn ipv6_is_limited_by_its_first_64_bits() {
    let test = with_limits(|limits| limits.login_per_address = TWO).await;
    let mut limited = Vec::new();
    for address in ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2:3::", "2001:db8:1:3::1"] {
        limited.push(is_limited(&login(&stranger(&test, address), "anna", WRONG).await));
    }
    assert_eq!(limited, [false, false, true, false]);
    let mut limited = Vec::new();
    for address in ["203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7", "203.0.113.8"] {
        limited.push(is_limited(&login(&stranger(&test, address), "anna", WRONG).await));
    }
    assert_eq!(limited, [false, false, true, false], "IPv4 in IPv6 is IPv4");
}

#[tokio::test]
async fn only_a_trusted_proxy_says_whose_request_it_is() {
    let test = with_limits(|limits| limits.login_per_address = TWO).await;
    let forwarded = |peer: &str, client: &str| stranger(&test, peer).with_header("x-forwarded-for", client);
    for (client, limited) in [("203.0.113.7", false), ("1.2.3.4, 203.0.113.7", false), ("é, 203.0.113.7", true)] {
        assert_eq!(is_limited(&login(&forwarded("127.0.0.1", client), "anna", WRONG).await), limited, "{client}");
    }
    assert!(!is_limited(&login(&forwarded("127.0.0.1", "203.0.113.8"), "anna", WRONG).await));
    for (client, limited) in [("1.1.1.1", false), ("2.2.2.2", false), ("3.3.3.3", true)] {
        let liar = forwarded("198.51.100.66", client);
        assert_eq!(is_limited(&login(&liar, "anna", WRONG).await), limited, "not from somebody else");
    }
}

/// P5: one document with many attempts is many attempts.
#[tokio::test]
async fn attempts_in_one_document_count_each() {
    let test = with_limits(|limits| limits.login_per_account = TWO).await;
    test.sign_up("anna").await;
    let attempt = |at: usize| {
        format!(
            r#"a{at}: login(input: {{ identifier: "anna", password: "guess {at} of many" }}) {{ userErrors {{ code }} }}"#
        )
    };
    let document = format!("mutation {{ {} }}", (0..5).map(attempt).collect::<Vec<_>>().join(" "));
    let reply = stranger(&test, "198.51.100.66").run(&document).await;
    let codes: Vec<_> =
        reply.at("/errors").as_array().expect("errors").iter().map(|e| &e["extensions"]["code"]).collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "RATE_LIMITED"), "{}", reply.body);
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (200, ""), "some of it was done");
    assert!(is_limited(&login(&stranger(&test, "198.51.100.67"), "anna", PASSWORD).await), "all was spent");
    assert!(test.app.accounts.write_notes().await.is_ok());
}

#[tokio::test]
async fn nobody_who_is_signed_in_is_stopped_by_what_others_spend() {
    let test = with_limits(|limits| {
        limits.login_per_address = TWO;
        limits.login_per_account = TWO;
    })
    .await;
    let anna = test.sign_up("anna").await.at_address("203.0.113.7");
    let session = log_in(&stranger(&test, "203.0.113.7"), "anna").await;
    for _ in 0..5 {
        login(&stranger(&test, "203.0.113.7"), "anna", WRONG).await;
        login(&stranger(&test, "198.51.100.66"), "anna", WRONG).await;
    }
    assert!(is_welcome(&anna).await && is_welcome(&session.user).await);
    refreshed(&refresh(&session.user, &session.refresh_token).await);
}

#[tokio::test]
async fn the_same_limits_hold_before_a_password_is_changed_signed_out() {
    let test = with_limits(|limits| limits.login_per_account = TWO).await;
    test.sign_up("anna").await;
    let mutation = "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { userErrors { code } } }";
    for name in ["anna", "nobody"] {
        let mut limited = Vec::new();
        for at in 0..3 {
            let caller = stranger(&test, &format!("198.51.100.{at}"));
            let input =
                json!({ "identifier": name, "currentPassword": WRONG, "newPassword": "purple tractor moonlight" });
            limited.push(is_limited(&caller.run_with(mutation, json!({ "input": input })).await));
        }
        assert_eq!(limited, [false, false, true], "{name}");
        assert!(is_limited(&login(&stranger(&test, "198.51.100.9"), name, WRONG).await), "one bucket for both");
    }
}
