//! Rejected credentials: only the fields that need a user fail, and the status says so.

use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, Reply, TestApp};

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";
const CHALLENGE: &str = "Bearer realm=\"cloakroom\", error=\"invalid_token\"";
const MESSAGE: &str = "The access token is malformed, expired, or of a session that has ended.";

/// Values of the `Authorization` headers of one request.
type Credentials = Vec<Vec<u8>>;

/// A request to `/graphql` with these `Authorization` headers.
fn request(credentials: &Credentials, accept: &str, query: &str) -> Request<Body> {
    let body = json!({ "query": query }).to_string();
    let mut request = Request::post("/graphql").header("content-type", JSON).header("accept", accept);
    for value in credentials {
        request = request.header(header::AUTHORIZATION, HeaderValue::from_bytes(value).expect("a header value"));
    }
    request.body(Body::from(body)).expect("a request")
}

async fn run(test: &TestApp, credentials: &Credentials, accept: &str, query: &str) -> Reply {
    test.anonymous().send(request(credentials, accept, query)).await
}

fn bearer(token: &str) -> Credentials {
    vec![format!("Bearer {token}").into_bytes()]
}

async fn tokens(test: &TestApp) -> (String, String) {
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }})
           {{ tokens {{ accessToken refreshToken }} }} }}"#
    );
    let reply = test.anonymous().run(&login).await;
    let text = |name: &str| reply.at(&format!("/data/login/tokens/{name}")).as_str().expect("a token").to_owned();
    (text("accessToken"), text("refreshToken"))
}

/// Credentials that the server rejects, each for a reason of its own. Moves the clock.
async fn rejected(test: &TestApp, user: &Caller) -> Vec<Credentials> {
    let good = user.token.clone().expect("a token");
    let key = test.key_of(user, "scopes: [ACCOUNT_READ]").await.token.expect("a key");
    let (ended, _) = tokens(test).await;
    test.bearer(Some(&ended)).run("mutation { logout { endedSessions } }").await.data();
    let foreign = TestApp::with_user().await.1.token.expect("a token");
    let settings = &test.config.accounts;
    let mut rejected: Vec<Credentials> = vec![bearer(&good)];
    rejected.extend([&*ended, &foreign, "undefined", "null", "nonsense", "", " ", "crk_nonsense"].map(bearer));
    rejected.extend([format!("{good}x"), format!("{key}x"), "x".repeat(9000)].map(|token| bearer(&token)));
    rejected.extend(["", "Bearer", "Bearer\t", "Basic YW5uYTpwYXNzd29yZA==", "Digest", &good].map(|v| vec![v.into()]));
    rejected.push(vec![b"Bearer \xff\xfe".to_vec()]);
    rejected.push([bearer("a"), bearer("b")].concat());
    rejected.push([vec![Vec::new()], bearer(&key)].concat());
    test.clock.advance(i64::from(settings.access_token_seconds + settings.token_leeway_seconds) + 1);
    rejected
}

/// Operations that need no user, each with a pointer to what they answer. `at` makes their names unique.
async fn open_operations(test: &TestApp, at: usize) -> Vec<(String, &'static str)> {
    let (_, refresh) = tokens(test).await;
    let (_, other) = tokens(test).await;
    let new = "long enough, this one";
    let mutations = [
        (
            format!(r#"login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ user {{ id }} }}"#),
            "login/user/id",
        ),
        (
            format!(r#"signUp(input: {{ username: "new{at}", password: "{PASSWORD}" }}) {{ user {{ id }} }}"#),
            "signUp/user/id",
        ),
        (
            format!(r#"refreshTokens(input: {{ refreshToken: "{refresh}" }}) {{ tokens {{ accessToken }} }}"#),
            "refreshTokens/tokens/accessToken",
        ),
        (format!(r#"logout(input: {{ refreshToken: "{other}" }}) {{ endedSessions }}"#), "logout/endedSessions"),
        (
            r#"requestPasswordReset(input: { email: "anna@example.org" }) { accepted }"#.to_owned(),
            "requestPasswordReset/accepted",
        ),
        (
            format!(r#"resetPassword(input: {{ token: "no", newPassword: "{new}" }}) {{ userErrors {{ code }} }}"#),
            "resetPassword/userErrors/0/code",
        ),
        (r#"verifyEmail(input: { token: "no" }) { userErrors { code } }"#.to_owned(), "verifyEmail/userErrors/0/code"),
        (
            format!(
                r#"changePassword(input: {{ identifier: "anna", currentPassword: "{PASSWORD}",
                   newPassword: "{PASSWORD}" }}) {{ userErrors {{ code }} }}"#
            ),
            "changePassword/userErrors/0/code",
        ),
    ];
    let mutations = mutations.into_iter().map(|(field, pointer)| (format!("mutation {{ {field} }}"), pointer));
    let queries = [
        ("{ hello }", "hello"),
        ("{ server { version limits { depth } } }", "server/version"),
        ("{ __schema { queryType { name } } __typename }", "__schema/queryType/name"),
    ];
    queries.map(|(query, pointer)| (query.to_owned(), pointer)).into_iter().chain(mutations).collect()
}

#[tokio::test]
async fn fields_that_need_no_user_work_with_any_rejected_credential() {
    let (test, user) = TestApp::with_user().await;
    for (at, credentials) in rejected(&test, &user).await.iter().enumerate() {
        let accept = if at % 2 == 0 { JSON } else { GRAPHQL };
        for (operation, pointer) in open_operations(&test, at).await {
            let reply = run(&test, credentials, accept, &operation).await;
            assert_eq!(reply.status.as_u16(), 200, "{at}: {operation}: {}", reply.body);
            assert!(!reply.data().pointer(&format!("/{pointer}")).is_none_or(Value::is_null), "{at}: {}", reply.body);
            assert!(!reply.headers.contains_key("www-authenticate"), "{operation}");
        }
        let mut get = request(credentials, accept, "");
        *get.method_mut() = axum::http::Method::GET;
        *get.uri_mut() = "/graphql?query=%7Bhello%7D".parse().expect("a path");
        assert_eq!(test.anonymous().send(get).await.status.as_u16(), 200, "{at}");
    }
}

#[tokio::test]
async fn fields_that_need_a_user_are_401_in_every_media_type() {
    let (test, user) = TestApp::with_user().await;
    assert_eq!(user.next().await, 1);
    let before = test.rows().await;
    for credentials in rejected(&test, &user).await {
        for accept in [JSON, GRAPHQL, "text/event-stream"] {
            for query in [
                "{ current }",
                "{ viewer { user { id } } }",
                "{ user(username: \"anna\") { id } }",
                "{ node(id: \"nonsense\") { id } }",
                "{ photos { totalCount } }",
                "mutation { next { value } }",
                "mutation { logout { endedSessions } }",
                "mutation { sendVerificationEmail { sent } }",
            ] {
                let reply = run(&test, &credentials, accept, query).await;
                assert_eq!((reply.status.as_u16(), reply.code()), (401, "UNAUTHENTICATED"), "{query}: {}", reply.body);
                assert_eq!(
                    (reply.header("www-authenticate"), reply.at("/errors/0/message")),
                    (CHALLENGE, &MESSAGE.into())
                );
                assert_eq!(reply.header("content-type").starts_with(GRAPHQL), accept == GRAPHQL, "{reply:?}");
                assert!(reply.header("content-type").contains("json"), "{reply:?}");
            }
        }
    }
    assert_eq!(test.rows().await.counters, before.counters);
    assert_eq!(tokens_then_current(&test).await, 1);
}

async fn tokens_then_current(test: &TestApp) -> i64 {
    let (token, _) = tokens(test).await;
    test.bearer(Some(&token)).run("{ current }").await.data()["current"].as_i64().expect("a number")
}

#[tokio::test]
async fn the_other_fields_of_a_401_keep_their_data() {
    let (test, _user) = TestApp::with_user().await;
    let nonsense = bearer("nonsense");
    let mixed = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ tokens {{ accessToken }} }}
           next {{ value }} }}"#
    );
    for accept in [JSON, GRAPHQL, "text/event-stream"] {
        let reply = run(&test, &nonsense, accept, "{ hello current viewer { role } }").await;
        assert_eq!((reply.status.as_u16(), reply.at("/data/current")), (401, &Value::Null), "{}", reply.body);
        assert!(reply.at("/data/hello").is_string(), "{}", reply.body);
        assert_eq!(reply.at("/errors").as_array().map(Vec::len), Some(2));

        let reply = run(&test, &nonsense, accept, &mixed).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "UNAUTHENTICATED"), "{}", reply.body);
        let token = reply.at("/data/login/tokens/accessToken").as_str().expect("signed in").to_owned();
        assert_eq!(test.bearer(Some(&token)).run("{ hello }").await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn a_condition_that_leaves_the_field_out_leaves_the_401_out() {
    let (test, _user) = TestApp::with_user().await;
    for (query, status) in [
        ("{ hello current @skip(if: true) }", 200),
        ("{ hello ... @include(if: false) { viewer { role } } }", 200),
        ("{ hello ...F } fragment F on Query { current }", 401),
        ("query A { hello }", 200),
        ("{ nothing }", 200),
        ("{", 200),
    ] {
        let reply = run(&test, &bearer("nonsense"), JSON, query).await;
        assert_eq!(reply.status.as_u16(), status, "{query}: {}", reply.body);
    }
    let refused = run(&test, &bearer("nonsense"), GRAPHQL, "{ nothing }").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, "GRAPHQL_VALIDATION_FAILED"));
}

#[tokio::test]
async fn an_event_stream_begins_for_fields_that_need_no_user() {
    let (test, _user) = TestApp::with_user().await;
    let caller = test.bearer(Some("nonsense"));
    let reply = caller.listen("{ hello server { version } }").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "text/event-stream"));
    assert!(reply.at("/data/hello").is_string(), "{}", reply.body);
    let refused = caller.listen("subscription { current }").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn the_parts_of_an_account_that_a_credential_would_name_need_another_proof() {
    let (test, _user) = TestApp::with_user().await;
    let (_, refresh) = tokens(&test).await;
    for query in [
        format!("mutation {{ logout(input: {{ scope: ACCESS_TOKEN, refreshToken: \"{refresh}\" }}) {{ endedSessions }} }}"),
        format!(
            "mutation {{ changePassword(input: {{ currentPassword: \"{PASSWORD}\", newPassword: \"long enough, this\" }})
             {{ userErrors {{ code }} }} }}"
        ),
    ] {
        let reply = run(&test, &bearer("nonsense"), JSON, &query).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "UNAUTHENTICATED"), "{query}: {}", reply.body);
    }
}

#[tokio::test]
async fn attempts_with_a_bad_credential_are_those_of_their_address() {
    use cloakroom::config::Bucket;
    let test = TestApp::with_config(|config| {
        config.limits.login_per_address = Bucket { burst: 4, per_hour: 1 };
    })
    .await;
    let user = test.sign_up("anna").await;
    let login = r#"mutation { login(input: { identifier: "anna", password: "wrong" }) { userErrors { code } } }"#;
    let (near, far) = ("198.51.100.7", "203.0.113.9");
    let stale = bearer(&format!("{}x", user.token.as_deref().expect("a token")));
    let attempt = async |credentials: &Credentials, address: &str| {
        test.anonymous().at_address(address).send(request(credentials, JSON, login)).await.code().to_owned()
    };
    for credentials in [vec![], bearer("nonsense"), stale.clone(), vec![b"Basic x".to_vec()]] {
        assert_eq!(attempt(&credentials, near).await, "", "an attempt is left");
    }
    for credentials in [vec![], bearer("other nonsense"), stale.clone(), [bearer("a"), bearer("b")].concat()] {
        assert_eq!(attempt(&credentials, near).await, "RATE_LIMITED");
    }
    assert_eq!(attempt(&stale, far).await, "", "another address has a bucket of its own");
    assert_eq!(user.next().await, 1, "and the user whose token was forged has lost nothing");
}

#[tokio::test]
async fn a_credential_that_cannot_be_checked_ends_the_request() {
    let (test, user) = TestApp::with_user().await;
    crate::support::alter(&test, "ALTER TABLE sessions RENAME TO gone").await;
    for accept in [JSON, GRAPHQL] {
        let credentials = bearer(user.token.as_deref().expect("a token"));
        let reply = run(&test, &credentials, accept, "{ hello }").await;
        assert_eq!((reply.status.as_u16(), reply.code()), (500, "INTERNAL_SERVER_ERROR"), "{}", reply.body);
        assert!(reply.header("content-type").starts_with(accept), "{reply:?}");
        assert_eq!(reply.at("/errors/0/extensions/requestId"), reply.header("x-request-id"));
    }
}
