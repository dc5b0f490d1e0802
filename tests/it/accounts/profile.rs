//! `updateProfile`: another username or name.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp};

async fn update(caller: &Caller, input: Value) -> Reply {
    let mutation = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
        user { username displayName email } userErrors { code field message } } }";
    caller.run_with(mutation, json!({ "input": input })).await
}

async fn profile(caller: &Caller) -> Value {
    caller.run("{ viewer { user { username displayName } } }").await.data()["viewer"]["user"].clone()
}

#[tokio::test]
async fn what_is_given_changes_what_is_left_out_stays_and_null_takes_the_name_away() {
    let (test, anna) = TestApp::with_user().await;
    let address = "anna@example.org";
    for (input, username, name) in [
        (json!({ "displayName": "  Anna Ä.  " }), "anna", json!("Anna Ä.")),
        (json!({}), "anna", json!("Anna Ä.")),
        (json!({ "username": null }), "anna", json!("Anna Ä.")),
        (json!({ "username": "ANNA" }), "ANNA", json!("Anna Ä.")),
        (json!({ "username": "Anna-2" }), "Anna-2", json!("Anna Ä.")),
        (json!({ "displayName": null }), "Anna-2", Value::Null),
        (json!({ "username": "ｂｅｒｔ", "displayName": "Bert" }), "bert", json!("Bert")),
    ] {
        let reply = update(&anna, input.clone()).await;
        let expected = json!({ "username": username, "displayName": name, "email": address });
        assert_eq!(reply.data()["updateProfile"], json!({ "user": expected, "userErrors": [] }), "{input}");
        assert_eq!(profile(&anna).await, json!({ "username": username, "displayName": name }));
    }
    assert_eq!(profile(&test.sign_in("BERT").await).await["username"], "bert");
    test.sign_up("anna2").await;
    let free = update(&anna, json!({ "username": "anna" })).await;
    assert_eq!(free.user_errors("updateProfile"), [""; 0], "what one gave up is free");
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once_and_changes_nothing() {
    let (test, anna) = TestApp::with_user().await;
    test.sign_up("bert").await;
    for (input, expected) in [
        (json!({ "username": "" }), vec!["REQUIRED input.username"]),
        (json!({ "username": "ab" }), vec!["TOO_SHORT input.username"]),
        (json!({ "username": "a".repeat(33) }), vec!["TOO_LONG input.username"]),
        (json!({ "username": "-anna" }), vec!["INVALID input.username"]),
        (json!({ "username": "anna b", "displayName": "x" }), vec!["INVALID input.username"]),
        (json!({ "username": "a@b.org" }), vec!["INVALID input.username"]),
        (json!({ "username": "BERT", "displayName": "x" }), vec!["TAKEN input.username"]),
        (json!({ "displayName": "" }), vec!["REQUIRED input.displayName"]),
        (json!({ "displayName": "x".repeat(101) }), vec!["TOO_LONG input.displayName"]),
        (json!({ "displayName": "a\nb", "username": "fresh" }), vec!["INVALID input.displayName"]),
        (
            json!({ "displayName": " ", "username": "x" }),
            vec!["TOO_SHORT input.username", "REQUIRED input.displayName"],
        ),
    ] {
        let reply = update(&anna, input.clone()).await;
        assert_eq!(reply.user_errors("updateProfile"), expected, "{input}: {}", reply.body);
        assert_eq!(reply.data()["updateProfile"]["user"], Value::Null);
        assert_eq!(profile(&anna).await, json!({ "username": "anna", "displayName": null }));
    }
}

#[tokio::test]
async fn a_search_finds_the_new_names_and_no_longer_the_old() {
    let (_test, anna) = TestApp::with_user().await;
    let finds = async |search: &str| {
        let query = "query ($search: String) { users(search: $search) { totalCount } }";
        anna.run_with(query, json!({ "search": search })).await.data()["users"]["totalCount"] == 1
    };
    update(&anna, json!({ "displayName": "Zoë" })).await.data();
    assert!(finds("ZOË").await && finds("anna").await);
    update(&anna, json!({ "username": "berta" })).await.data();
    assert!(finds("zoë").await && finds("berta").await && !finds("anna").await);
    update(&anna, json!({ "displayName": "Carla" })).await.data();
    assert!(!finds("zoë").await && finds("carla").await && finds("berta").await);
    update(&anna, json!({ "displayName": null })).await.data();
    assert!(!finds("carla").await && finds("berta").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_20_who_take_one_username_at_once_one_gets_it() {
    let test = TestApp::start().await;
    let all = join_all((0..20).map(|number| {
        let test = &test;
        async move { test.sign_up(&format!("user{number}")).await }
    }))
    .await;
    let wanted = ["Wanted", "wanted", "WANTED", "ｗanted"];
    let takes = all.into_iter().enumerate().map(|(number, caller)| {
        let username = wanted[number % wanted.len()];
        tokio::spawn(async move { update(&caller, json!({ "username": username })).await })
    });
    let replies: Vec<Reply> = join_all(takes).await.into_iter().map(|reply| reply.expect("a reply")).collect();
    let (got, taken): (Vec<_>, Vec<_>) =
        replies.iter().partition(|reply| reply.data()["updateProfile"]["user"].is_object());
    assert_eq!((got.len(), taken.len()), (1, 19));
    for reply in taken {
        assert_eq!(reply.user_errors("updateProfile"), ["TAKEN input.username"], "{}", reply.body);
    }
}

/// P8: what the input does not have cannot be set with it.
#[tokio::test]
async fn nothing_but_the_profile_can_be_set() {
    let (_test, anna) = TestApp::with_user().await;
    for extra in [
        "role: ADMIN",
        "email: \"x@example.org\"",
        "id: \"x\"",
        "emailVerifiedAt: null",
        "suspendedAt: null",
        "isAdmin: true",
    ] {
        let reply = anna
            .run(&format!("mutation {{ updateProfile(input: {{ displayName: \"x\", {extra} }}) {{ user {{ id }} }} }}"))
            .await;
        assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED", "{extra}");
        let (name, value) = extra.split_once(": ").expect("a field");
        let value: Value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        let reply = update(&anna, json!({ "displayName": "x", name: value })).await;
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&reply.code()), "{extra}: {}", reply.body);
    }
    let viewer = anna.run("{ viewer { role user { displayName email } } }").await;
    assert_eq!(
        viewer.data()["viewer"],
        json!({ "role": "USER", "user": { "displayName": null, "email": "anna@example.org" } })
    );
}
