//! `extensions.code`: every error that leaves has one, and it is the right one.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn each_fault_has_its_code() {
    let (_test, user) = TestApp::with_user().await;
    for (query, code) in [
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("hello", "GRAPHQL_PARSE_FAILED"),
        ("{ user(username: \"a\nb\") { id } }", "GRAPHQL_PARSE_FAILED"),
        ("query A { hello } query A { hello }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ users(first: 99999999999) { totalCount } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ node { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ current(counter: 1) }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...Missing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ hello @nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { setCurrent(input: { current: 9007199254740992 }) { previous } }", "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { setCurrent(input: { current: 1.5 }) { previous } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ node(id: \"nonsense\") { id } }", "BAD_USER_INPUT"),
        ("{ current(counter: \"nope\") }", "NOT_FOUND"),
    ] {
        let reply = user.run(query).await;
        assert_eq!(reply.code(), code, "{query}: {}", reply.body);
        assert!(reply.at("/errors/0/message").as_str().is_some_and(|message| !message.is_empty()), "{query}");
    }
    let subscription = user.run("subscription { hello }").await;
    assert_eq!(subscription.at("/errors/0/extensions/code"), "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn the_server_lists_every_code() {
    let test = TestApp::start().await;
    let query = "{ server { errorCodes } __type(name: \"ErrorCode\") { enumValues { name } } }";
    let reply = test.anonymous().run(query).await;
    let values = reply.at("/data/__type/enumValues").as_array().expect("an enum that clients see");
    let names: Vec<_> = values.iter().map(|value| value["name"].clone()).collect();
    assert_eq!(reply.at("/data/server/errorCodes"), &json!(names));
    assert!(names.contains(&json!("UNAUTHENTICATED")) && names.len() == 14, "{names:?}");
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_told_so() {
    let test = TestApp::start().await;
    for query in [
        "{ current }",
        "{ user(username: \"anna\") { id } }",
        "{ node(id: \"usr_00000000000070008000000000000000\") { id } }",
        "{ nodes(ids: []) { id } }",
        "mutation { next { value } }",
        "mutation { setCurrent(input: { current: 1 }) { previous } }",
        "mutation { logout { endedSessions } }",
    ] {
        let reply = test.anonymous().run(query).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (200, "UNAUTHENTICATED"), "{query}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_nullable_field_that_fails_leaves_its_neighbours_alone() {
    let (_test, user) = TestApp::with_user().await;
    let reply = user.run("{ hello node(id: \"nonsense\") { id } }").await;
    insta::assert_json_snapshot!(reply.body, @r#"
    {
      "errors": [
        {
          "message": "This is not an id that Cloakroom gave out.",
          "locations": [
            {
              "line": 1,
              "column": 9
            }
          ],
          "path": [
            "node"
          ],
          "extensions": {
            "code": "BAD_USER_INPUT"
          }
        }
      ],
      "data": {
        "hello": "Hello from Cloakroom",
        "node": null
      }
    }
    "#);
}

#[tokio::test]
async fn a_fault_of_the_server_keeps_its_cause_to_itself() {
    let (test, user) = TestApp::with_user().await;
    let id = user.run("{ viewer { user { id } } }").await.data()["viewer"]["user"]["id"].clone();
    // The tables go away beneath the running server.
    while cloakroom::store::migrations::down(&test.app.database, 1).await.is_ok() {
        let left = cloakroom::store::migrations::status(&test.app.database).await.expect("the list of migrations");
        if left.iter().all(|migration| !migration.applied) {
            break;
        }
    }
    let reply = user.run_with("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
    assert_eq!(reply.code(), "INTERNAL_SERVER_ERROR", "{}", reply.body);
    assert_eq!(reply.at("/errors/0/message"), "Internal error.");
    let request_id = reply.at("/errors/0/extensions/requestId").as_str().unwrap_or_default();
    assert_eq!(request_id, reply.header("x-request-id"));
    assert!(!request_id.is_empty());
    let told = reply.body.to_string().to_lowercase();
    for secret in ["sql", "table", "users", "relation", "sea_orm", ".rs"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}
