//! Who is found in `users`, `user` and `node`, what a search means, and who sees addresses.

use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, TestApp};

async fn found(caller: &Caller, search: &str) -> Vec<String> {
    let query = "query ($search: String) { users(search: $search, first: 100) { nodes { username } totalCount } }";
    let reply = caller.run_with(query, json!({ "search": search })).await;
    let users = &reply.data()["users"];
    let names = users["nodes"].as_array().expect("a list").iter();
    let names: Vec<String> = names.map(|user| user["username"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(users["totalCount"], names.len(), "{search}");
    names
}

async fn call(caller: &Caller, name: &str) {
    let mutation = "mutation ($name: String) { updateProfile(input: { displayName: $name }) { userErrors { code } } }";
    let reply = caller.run_with(mutation, json!({ "name": name })).await;
    assert_eq!(reply.data()["updateProfile"]["userErrors"], json!([]), "{name}");
}

#[tokio::test]
async fn a_search_looks_in_usernames_and_names_whatever_their_case_and_form() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, carl) = (test.sign_up("Bert_99").await, test.sign_up("çarl").await);
    call(&bert, "Ärger Fußmann").await;
    call(&carl, "100% \\ sure").await;
    for (search, names) in [
        ("ANNA", vec!["anna"]),
        ("nna", vec!["anna"]),
        ("ber", vec!["Bert_99"]),
        ("BERT_", vec!["Bert_99"]),
        ("ÄRGER", vec!["Bert_99"]),
        ("a\u{308}rger", vec!["Bert_99"]),
        ("ＦＵß", vec!["Bert_99"]),
        ("ger fu", vec!["Bert_99"]),
        ("ÇARL", vec!["çarl"]),
        ("  sure  ", vec!["çarl"]),
        ("%", vec!["çarl"]),
        ("0%", vec!["çarl"]),
        ("\\", vec!["çarl"]),
        ("% \\ s", vec!["çarl"]),
        ("_", vec!["Bert_99"]),
        ("__", vec![]),
        ("a%a", vec![]),
        ("99 är", vec![]),
        ("99\när", vec![]),
        ("\0", vec![]),
        ("a\0n", vec![]),
        ("", vec!["anna", "Bert_99", "çarl"]),
        ("   ", vec!["anna", "Bert_99", "çarl"]),
        ("'; DROP TABLE users; --", vec![]),
        ("zoe", vec![]),
    ] {
        assert_eq!(found(&anna, search).await, names, "{search:?}");
    }
}

#[tokio::test]
async fn a_search_has_at_most_100_characters() {
    let (_test, anna) = TestApp::with_user().await;
    assert!(found(&anna, &"ö".repeat(100)).await.is_empty());
    assert!(found(&anna, &"\u{fdfa}".repeat(100)).await.is_empty(), "whatever they become");
    let query = "query ($search: String) { users(search: $search) { nodes { id } } }";
    let reply = anna.run_with(query, json!({ "search": "ö".repeat(101) })).await;
    assert_eq!(reply.code(), "BAD_USER_INPUT");
    assert!(reply.at("/errors/0/message").as_str().is_some_and(|message| message.contains("100")));
}

#[tokio::test]
async fn addresses_are_searched_for_administrators_alone() {
    let (test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let key = test.key_of(&root, "scopes: [ACCOUNT_READ]").await;
    for search in ["@example.org", "ANNA@EXAMPLE", "anna@example.org"] {
        assert!(found(&anna, search).await.is_empty(), "{search}");
        assert!(found(&key, search).await.is_empty(), "a key is no administrator: {search}");
    }
    assert_eq!(found(&root, "ANNA@example").await, ["anna"]);
    assert_eq!(found(&root, "_nna@").await, [""; 0]);
    assert_eq!(found(&root, "@example.org").await, ["anna", "root"]);
}

#[tokio::test]
async fn addresses_are_seen_by_their_owners_and_by_administrators() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, root) = (test.sign_up("bert").await, test.admin("root").await);
    let key = test.key_of(&anna, "scopes: [ACCOUNT_READ]").await;
    let roots_key = test.key_of(&root, "scopes: [ACCOUNT_READ]").await;
    let id = anna.user_id().await;
    let query = format!(
        "{{ user(username: \"anna\") {{ email }} users(search: \"anna\") {{ nodes {{ email }} edges {{ node {{ email }} }} }}
            node(id: \"{id}\") {{ ... on User {{ email }} }} nodes(ids: [\"{id}\"]) {{ ... on User {{ email }} }} }}"
    );
    let shown = json!({ "email": "anna@example.org" });
    let hidden = json!({ "email": null });
    for (who, caller, seen) in [
        ("anna", &anna, &shown),
        ("her key", &key, &shown),
        ("bert", &bert, &hidden),
        ("an administrator", &root, &shown),
        ("an administrator's key", &roots_key, &hidden),
    ] {
        let reply = caller.run(&query).await;
        let expected = json!({
            "user": seen, "users": { "nodes": [seen], "edges": [{ "node": seen }] }, "node": seen, "nodes": [seen],
        });
        assert_eq!(reply.data(), &expected, "{who}");
    }
    let role = format!("mutation {{ setUserRole(input: {{ userId: \"{id}\", role: USER }}) {{ user {{ email }} }} }}");
    assert_eq!(root.run(&role).await.data()["setUserRole"]["user"], shown);
}

/// Suspended users can be seen; those who left, and those who have still to confirm their address, cannot.
#[tokio::test]
async fn who_left_or_is_not_confirmed_is_nobody_and_who_is_suspended_is_somebody() {
    let (test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let (left, shut, unconfirmed) =
        (test.sign_up("left").await, test.sign_up("shut").await, test.sign_up("soon").await);
    let ids = [left.user_id().await, shut.user_id().await, unconfirmed.user_id().await];
    let leave = format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}");
    left.run(&leave).await.data();
    let suspend = format!("mutation {{ suspendUser(input: {{ userId: \"{}\" }}) {{ user {{ username }} }} }}", ids[1]);
    assert_eq!(root.run(&suspend).await.data()["suspendUser"]["user"]["username"], "shut");
    crate::support::alter(
        &test,
        "UPDATE users SET unconfirmed_until = '2026-12-24T00:00:00+00:00' WHERE username = 'soon'",
    )
    .await;

    let query =
        "query ($ids: [ID!]!) { left: user(username: \"left\") { id } shut: user(username: \"SHUT\") { username }
        soon: user(username: \"soon\") { id } nodes(ids: $ids) { ... on User { username } }
        users { nodes { username } totalCount } }";
    for (who, caller) in [("anna", &anna), ("an administrator", &root)] {
        let shut = json!({ "username": "shut" });
        let expected = json!({
            "left": null, "shut": shut, "soon": null, "nodes": [null, shut, null],
            "users": { "nodes": [{ "username": "anna" }, { "username": "root" }, shut], "totalCount": 3 },
        });
        assert_eq!(caller.run_with(query, json!({ "ids": ids })).await.data(), &expected, "{who}");
    }
    for (mutation, more) in [("suspendUser", ""), ("reinstateUser", ""), ("setUserRole", ", role: ADMIN")] {
        for id in [&ids[0], &ids[2]] {
            let text = format!(
                "mutation {{ {mutation}(input: {{ userId: \"{id}\"{more} }}) {{ userErrors {{ code field }} }} }}"
            );
            assert_eq!(root.run(&text).await.user_errors(mutation), ["NOT_FOUND input.userId"], "{mutation}");
        }
    }
}

#[tokio::test]
async fn the_count_is_of_the_whole_list() {
    let (test, anna) = TestApp::with_user().await;
    for number in 0..4 {
        test.sign_up(&format!("user{number}")).await;
    }
    let query = "query ($search: String) { users(search: $search, first: 2) { nodes { username } totalCount } }";
    let reply = anna.run_with(query, json!({ "search": "user" })).await;
    assert_eq!(
        (&reply.data()["users"]["totalCount"], reply.at("/data/users/nodes/1/username")),
        (&json!(4), &json!("user1"))
    );
    let all = anna.run_with(query, Value::Null).await;
    assert_eq!(all.data()["users"]["totalCount"], 5);
}
