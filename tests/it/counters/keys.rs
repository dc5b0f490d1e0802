//! API keys at the counters: what scopes allow, and keys for one counter.

use serde_json::{Value, json};

use super::{CREATED, create, delete, program, range, set, take};
use crate::support::{Caller, TestApp};

async fn set_on(caller: &Caller, name: &str) -> String {
    let mutation = format!(
        "mutation {{ setCurrent(input: {{ current: 5, counter: \"{name}\" }}) {{ previous userErrors {{ code }} }} }}"
    );
    caller.run(&mutation).await.code().to_owned()
}

#[tokio::test]
async fn each_scope_allows_what_it_says() {
    let (test, user) = TestApp::with_user().await;
    create(&user, r#"name: "a""#).await;
    let new = format!("mutation {{ createCounter(input: {{ name: \"b\" }}) {CREATED} }}");
    for (scopes, next, read, write) in [
        ("COUNTERS_NEXT", "", "FORBIDDEN", "FORBIDDEN"),
        ("COUNTERS_READ", "FORBIDDEN", "", "FORBIDDEN"),
        ("COUNTERS_WRITE", "FORBIDDEN", "FORBIDDEN", ""),
        ("ACCOUNT_READ", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
    ] {
        let program = program(&test, &user, scopes, None).await;
        assert_eq!(take(&program, "counter: \"a\"").await.code(), next, "{scopes}");
        assert_eq!(take(&program, "counter: \"a\", idempotencyKey: \"k\"").await.code(), next, "{scopes}");
        for query in ["{ current(counter: \"a\") }", "{ viewer { counters { totalCount nodes { id } } } }"] {
            let refused = program.run(query).await;
            let codes: Vec<_> = refused.at("/errors").as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
            let expected = if read.is_empty() { 0 } else { 1 };
            assert_eq!(
                (codes.len().min(1), refused.at("/errors/0/extensions/code").as_str().unwrap_or_default()),
                (expected, read)
            );
        }
        assert_eq!(program.run(&new).await.code(), write, "{scopes}");
        assert_eq!(set_on(&program, "a").await, write, "{scopes}");
        assert_eq!(delete(&program, "b").await.code(), write, "{scopes}");
    }
}

#[tokio::test]
async fn a_key_for_one_counter_takes_from_that_one_and_does_nothing_else() {
    let (test, user) = TestApp::with_user().await;
    let other = create(&user, r#"name: "b""#).await;
    create(&user, r#"name: "a""#).await;
    let program = program(&test, &user, "COUNTERS_NEXT, COUNTERS_READ, COUNTERS_WRITE", Some("a")).await;
    assert_eq!(range(&take(&program, "counter: \"a\", count: 3, idempotencyKey: \"k\"").await), Ok((1, 3)));
    assert_eq!(program.run("{ current(counter: \"a\") }").await.data()["current"], 3);
    assert_eq!(set_on(&program, "a").await, "");
    for name in ["b", "default", "unknown", "A"] {
        assert_eq!(take(&program, &format!("counter: \"{name}\"")).await.code(), "FORBIDDEN", "{name}");
        assert_eq!(set_on(&program, name).await, "FORBIDDEN", "{name}");
        assert_eq!(program.run(&format!("{{ current(counter: \"{name}\") }}")).await.code(), "FORBIDDEN", "{name}");
    }
    let new = format!("mutation {{ createCounter(input: {{ name: \"c\" }}) {CREATED} }}");
    for operation in ["mutation { next { value } }", "{ current }", &new, "{ viewer { counters { nodes { id } } } }"] {
        assert_eq!(program.run(operation).await.code(), "FORBIDDEN", "{operation}");
    }
    for name in ["a", "b", "default"] {
        assert_eq!(delete(&program, name).await.code(), "FORBIDDEN", "{name}");
    }
    let node = program.run(&format!("{{ node(id: \"{other}\") {{ id }} }}")).await;
    assert_eq!(node.data()["node"], Value::Null, "as what is not there");
    assert_eq!(user.next().await, 1);
    set(&user, 0).await;
}

#[tokio::test]
async fn keys_for_a_counter_end_with_it_at_once_and_for_good() {
    let (mut test, user) = TestApp::with_user().await;
    create(&user, r#"name: "a""#).await;
    let remembered = program(&test, &user, "COUNTERS_NEXT", Some("a")).await;
    let unused = program(&test, &user, "COUNTERS_NEXT", Some("a")).await;
    let free = program(&test, &user, "COUNTERS_NEXT", None).await;
    assert_eq!(range(&take(&remembered, "counter: \"a\"").await), Ok((1, 1)));
    assert_eq!(range(&take(&free, "counter: \"a\"").await), Ok((2, 2)));
    assert_eq!(delete(&user, "a").await.user_errors("deleteCounter"), [""; 0]);
    create(&user, r#"name: "a", start: 100"#).await;
    for restarted in [false, true] {
        for token in [&remembered, &unused].map(|program| program.token.as_deref()) {
            let refused = take(&test.bearer(token), "counter: \"a\"").await;
            assert_eq!((refused.status.as_u16(), refused.code()), (401, "UNAUTHENTICATED"), "restarted: {restarted}");
        }
        let free = test.bearer(free.token.as_deref());
        assert!(range(&take(&free, "counter: \"a\"").await).is_ok(), "it is limited to none");
        let keys = test.bearer(user.token.as_deref()).run("{ viewer { apiKeys { counter { name } } } }").await;
        assert_eq!(keys.data()["viewer"]["apiKeys"], json!([{ "counter": null }]));
        test.restart().await;
    }
}
