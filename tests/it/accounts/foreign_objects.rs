//! What belongs to somebody else looks as if it did not exist, also to an administrator (Z2).

use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp};

const NODES: &str = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";

/// The ids of whatever is anna's alone.
async fn ids_of(caller: &Caller) -> Vec<(&'static str, Value)> {
    let query = "{ viewer { session { id } apiKeys { id } events(first: 1) { nodes { id } } counter { id } } }";
    let viewer = caller.run(query).await.data()["viewer"].clone();
    vec![
        ("Session", viewer["session"]["id"].clone()),
        ("ApiKey", viewer["apiKeys"][0]["id"].clone()),
        ("AccountEvent", viewer["events"]["nodes"][0]["id"].clone()),
        ("Counter", viewer["counter"]["id"].clone()),
    ]
}

async fn nodes(caller: &Caller, ids: &[Value]) -> Reply {
    caller.run_with(NODES, json!({ "ids": ids })).await
}

#[tokio::test]
async fn what_is_ones_own_is_found_by_its_id_and_what_is_anothers_is_not() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, root) = (test.sign_up("bert").await, test.admin("root").await);
    let key = test.key_of(&anna, "scopes: [ACCOUNT_READ, COUNTERS_READ]").await;
    let foreign_key = test.key_of(&bert, "scopes: [ACCOUNT_READ, COUNTERS_READ]").await;
    let own = ids_of(&anna).await;
    let ids: Vec<Value> = own.iter().map(|(_, id)| id.clone()).collect();
    let found: Vec<Value> = own.iter().map(|(name, id)| json!({ "__typename": name, "id": id })).collect();
    for (who, caller) in [("anna", &anna), ("her key", &key)] {
        assert_eq!(nodes(caller, &ids).await.data()["nodes"], json!(found), "{who}");
    }
    for (who, caller) in [("bert", &bert), ("his key", &foreign_key), ("an administrator", &root)] {
        assert_eq!(nodes(caller, &ids).await.data()["nodes"], json!([null, null, null, null]), "{who}");
    }
    assert_eq!(nodes(&test.anonymous(), &ids).await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn nobody_ends_or_revokes_what_is_anothers() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, root) = (test.sign_up("bert").await, test.admin("root").await);
    let key = test.key_of(&anna, "scopes: [ACCOUNT_READ]").await;
    let own = ids_of(&anna).await;
    for (name, mutation, field) in [("Session", "endSession", "sessionId"), ("ApiKey", "revokeApiKey", "apiKeyId")] {
        let id = &own.iter().find(|(kind, _)| *kind == name).expect("an id").1;
        let mut wrong = own.iter().filter(|(kind, _)| *kind != name).map(|(_, id)| id.clone()).collect::<Vec<_>>();
        wrong.extend([json!("ses_00000000000070008000000000000000"), json!("key_00000000000070008000000000000000")]);
        let run = async |caller: &Caller, id: &Value| {
            let text =
                format!("mutation {{ {mutation}(input: {{ {field}: {id} }}) {{ userErrors {{ code field }} }} }}");
            caller.run(&text).await.user_errors(mutation)
        };
        let unknown = [format!("NOT_FOUND input.{field}")];
        for caller in [&bert, &root] {
            assert_eq!(run(caller, id).await, unknown, "{mutation}");
        }
        for id in wrong {
            assert_eq!(run(&anna, &id).await, unknown, "{mutation} of {id}");
        }
    }
    assert!(!anna.is_refused().await && !key.is_refused().await);
}

/// A key that sees some counters sees the others as if they did not exist.
#[tokio::test]
async fn a_key_for_one_counter_finds_that_one_by_its_id() {
    let (test, anna) = TestApp::with_user().await;
    let key = test.key_of(&anna, "scopes: [COUNTERS_READ], counter: \"default\"").await;
    let own = ids_of(&anna).await;
    let counter = own.iter().find(|(kind, _)| *kind == "Counter").expect("an id").1.clone();
    let other = super::api_keys::another_counter(&test, &anna.user_id().await, "other").await;
    let found = nodes(&key, &[counter.clone(), json!(other)]).await;
    assert_eq!(found.data()["nodes"], json!([{ "__typename": "Counter", "id": counter }, null]));
    let both = nodes(&anna, &[json!(other)]).await;
    assert_eq!(both.data()["nodes"][0]["id"], json!(other));
    let session = own.first().expect("a session").1.clone();
    assert_eq!(nodes(&key, &[session]).await.code(), "FORBIDDEN");
}
