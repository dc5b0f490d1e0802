//! A mutation of several fields: one that fails loses no number, token or secret of the others.

use cloakroom::config::Bucket;
use serde_json::{Value, json};

use super::{create, current};
use crate::support::{Caller, PASSWORD, Reply, TestApp, alter};

/// Fields that fail for Anna, each with the code of its error.
const FAILING: [(&str, &str); 10] = [
    ("next(input: { counter: \"nope\" }) { value }", "NOT_FOUND"),
    ("next(input: { counter: \"full\" }) { value }", "COUNTER_EXHAUSTED"),
    ("next(input: { count: 9, idempotencyKey: \"used\" }) { value }", "CONFLICT"),
    ("setCurrent(input: { current: 9, idempotencyKey: \"used\" }) { previous }", "CONFLICT"),
    ("next(input: { count: 0 }) { value }", "BAD_USER_INPUT"),
    ("next(input: { count: 1000001 }) { value }", "BAD_USER_INPUT"),
    ("next(input: { idempotencyKey: \"\" }) { value }", "BAD_USER_INPUT"),
    ("requestPasswordReset(input: { email: \"none\" }) { accepted }", "BAD_USER_INPUT"),
    ("suspendUser(input: { userId: \"x\" }) { userErrors { code } }", "FORBIDDEN"),
    ("login(input: { identifier: \"anna\", password: \"wrong\" }) { userErrors { code } }", "RATE_LIMITED"),
];

/// Anna with two counters, and a used idempotency key; she cannot log in again for an hour.
async fn anna() -> (TestApp, Caller) {
    let once = Bucket { burst: 1, per_hour: 1 };
    let test = TestApp::with_config(|config| config.limits.login_per_account = once).await;
    let anna = test.sign_up("anna").await;
    create(&anna, "name: \"full\", max: 0").await;
    anna.run("mutation { next(input: { idempotencyKey: \"used\" }) { value } }").await.data();
    anna.run("mutation { login(input: { identifier: \"anna\", password: \"wrong\" }) { userErrors { code } } }")
        .await
        .data();
    (test, anna)
}

/// Checks that the field `failing` alone is null, with an error of this code.
#[track_caller]
fn assert_only_fails(reply: &Reply, failing: &str, code: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (200, code), "{}", reply.body);
    assert_eq!(reply.at("/errors/0/path"), &json!([failing]), "{}", reply.body);
    assert_eq!(reply.at(&format!("/data/{failing}")), &Value::Null, "{}", reply.body);
    assert!(!reply.headers.contains_key("retry-after"), "the whole request is not to be sent again: {}", reply.body);
}

#[tokio::test]
async fn a_field_that_fails_loses_and_repeats_no_number_of_the_others() {
    let (_test, anna) = anna().await;
    let mut last = current(&anna).await;
    let (one, three) = ("one: next { value }", "three: next(input: { count: 3 }) { first last }");
    for (field, code) in FAILING {
        let failing = format!("failing: {field}");
        for fields in [[one, &failing, three], [&failing, one, three], [one, three, &failing]] {
            let reply = anna.run(&format!("mutation {{ {} }}", fields.join(" "))).await;
            assert_only_fails(&reply, "failing", code);
            assert_eq!(reply.at("/data/one"), &json!({ "value": last + 1 }), "{}", reply.body);
            assert_eq!(reply.at("/data/three"), &json!({ "first": last + 2, "last": last + 4 }), "{}", reply.body);
            last += 4;
            assert_eq!(current(&anna).await, last, "{field}");
        }
    }
    assert_eq!(anna.next().await, last + 1);
}

#[tokio::test]
async fn a_variable_that_does_not_fit_loses_no_number() {
    let (_test, anna) = TestApp::with_user().await;
    let mutation = "mutation ($count: Int!) { one: next { value } failing: next(input: { count: $count }) { value } }";
    let reply = anna.run_with(mutation, json!({ "count": 4_294_967_296_i64 })).await;
    assert_eq!(reply.code(), "BAD_USER_INPUT");
    assert!(reply.has_no_result(), "{}", reply.body);
    assert_eq!(current(&anna).await, 0, "nothing was executed");
}

#[tokio::test]
async fn a_literal_that_does_not_fit_loses_no_number() {
    let (_test, anna) = TestApp::with_user().await;
    for field in [
        "next(input: { count: 4294967296 }) { value }",
        "createCounter(input: { name: \"x\", step: -4294967296 }) { counter { id } }",
    ] {
        let reply = anna.run(&format!("mutation {{ one: next {{ value }} {field} }}")).await;
        assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(current(&anna).await, 0, "nothing was executed: {}", reply.body);
    }
}

#[tokio::test]
async fn the_end_of_a_counter_leaves_the_numbers_before_it() {
    let (_test, anna) = TestApp::with_user().await;
    create(&anna, "name: \"short\", max: 2").await;
    let next = "next(input: { counter: \"short\" }) { value }";
    let reply = anna.run(&format!("mutation {{ a: {next} b: {next} c: {next} }}")).await;
    assert_only_fails(&reply, "c", "COUNTER_EXHAUSTED");
    assert_eq!((reply.at("/data/a/value"), reply.at("/data/b/value")), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn a_secret_that_is_shown_once_survives_a_failing_neighbour() {
    let (test, anna) = TestApp::with_user().await;
    let mutation = "mutation {
        createApiKey(input: { password: \"correct horse battery\", name: \"robot\", scopes: [COUNTERS_NEXT] }) { secret apiKey { name counter { id } } }
        next(input: { counter: \"nope\" }) { value } }";
    let reply = anna.run(mutation).await;
    assert_only_fails(&reply, "next", "NOT_FOUND");
    let robot = test.bearer(reply.at("/data/createApiKey/secret").as_str());
    assert_eq!(robot.next().await, 1);
}

#[tokio::test]
async fn tokens_survive_a_neighbour_that_needs_somebody_signed_in() {
    let (test, _) = TestApp::with_user().await;
    let mutation = "mutation ($password: String!) {
        login(input: { identifier: \"anna\", password: $password }) { tokens { refreshToken } }
        next { value } }";
    let reply = test.anonymous().run_with(mutation, json!({ "password": PASSWORD })).await;
    assert_only_fails(&reply, "next", "UNAUTHENTICATED");
    let refresh = "mutation ($token: String!) {
        next { value }
        refreshTokens(input: { refreshToken: $token }) { tokens { accessToken } } }";
    let token = reply.at("/data/login/tokens/refreshToken").clone();
    let reply = test.anonymous().run_with(refresh, json!({ "token": token })).await;
    assert_only_fails(&reply, "next", "UNAUTHENTICATED");
    let anna = test.bearer(reply.at("/data/refreshTokens/tokens/accessToken").as_str());
    assert_eq!(anna.next().await, 1);
}

#[tokio::test]
async fn an_internal_error_loses_no_number_and_names_its_request() {
    let (test, anna) = TestApp::with_user().await;
    alter(&test, "ALTER TABLE api_keys RENAME TO gone").await;
    let key = "createApiKey(input: { password: \"correct horse battery\", name: \"robot\", scopes: [COUNTERS_NEXT] }) { secret }";
    let reply = anna.run(&format!("mutation {{ a: next {{ value }} failing: {key} b: next {{ value }} }}")).await;
    assert_only_fails(&reply, "failing", "INTERNAL_SERVER_ERROR");
    assert_eq!((reply.at("/data/a/value"), reply.at("/data/b/value")), (&json!(1), &json!(2)));
    assert_eq!(reply.at("/errors/0/extensions/requestId"), reply.header("x-request-id"));
}

#[tokio::test]
async fn a_request_of_one_field_that_did_nothing_says_when_to_retry() {
    let (_test, anna) = anna().await;
    let login = "login(input: { identifier: \"anna\", password: \"wrong\" }) { userErrors { code } }";
    let alone = anna.run(&format!("mutation {{ {login} }}")).await;
    assert_eq!((alone.status.as_u16(), alone.code()), (429, "RATE_LIMITED"), "{}", alone.body);
    assert!(!alone.header("retry-after").is_empty());
    assert_eq!(alone.at("/data"), &json!({ "login": null }));
    let beside = anna.run(&format!("mutation {{ {login} next {{ value }} }}")).await;
    assert_only_fails(&beside, "login", "RATE_LIMITED");
    assert!(beside.at("/errors/0/extensions/retryAfterSeconds").is_number(), "{}", beside.body);
}
