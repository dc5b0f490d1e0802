//! Asking for the schema: what tools ask passes, what multiplies does not, and it can be switched off.

use super::{STANDARD_INTROSPECTION, introspect, own_types};
use crate::support::TestApp;

#[tokio::test]
async fn the_standard_introspection_query_passes() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    assert_eq!(schema["queryType"]["name"], "Query");
    assert!(own_types(&schema).len() > 20);
}

#[tokio::test]
async fn introspection_that_multiplies_is_refused() {
    let test = TestApp::start().await;
    let within = "fields { type { fields { type { name } } } }";
    let deeper = "fields { type { fields { type { fields { type { fields { type { name } } } } } } } }";
    let mixed = "fields { type { interfaces { possibleTypes { fields { type { name } } } } } }";
    test.anonymous().run(&format!("{{ __type(name: \"Query\") {{ {within} }} }}")).await.data();
    for lists in [deeper, mixed] {
        for root in ["__schema { types", "__type(name: \"Query\") { ofType"] {
            let reply = test.anonymous().run(&format!("{{ {root} {{ {lists} }} }} }}")).await;
            assert_eq!(reply.code(), "QUERY_TOO_COMPLEX", "{}", reply.body);
        }
    }
    let fragment = format!("{{ __schema {{ types {{ ...T }} }} }} fragment T on __Type {{ {deeper} }}");
    assert_eq!(test.anonymous().run(&fragment).await.code(), "QUERY_TOO_COMPLEX");
}

#[tokio::test]
async fn a_hidden_schema_is_neither_told_nor_suggested() {
    let test = TestApp::with_config(|config| config.graphql.introspection = false).await;
    let caller = test.anonymous();
    for query in [
        STANDARD_INTROSPECTION,
        "{ __schema { queryType { name } } }",
        "{ hello alias: __type(name: \"User\") { name } }",
        "{ ...F } fragment F on Query { ... { __type(name: \"User\") { name } } }",
    ] {
        let reply = caller.run(query).await;
        assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED", "{}", reply.body);
        assert!(reply.body.get("data").is_none(), "{}", reply.body);
    }
    assert_eq!(caller.run("{ __typename }").await.data()["__typename"], "Query");
    for typo in ["{ helo }", "{ server { versio } }", "{ node(idd: 1) { id } }", "query ($a: Strin) { hello }"] {
        let reply = caller.run(typo).await;
        assert_eq!(reply.at("/errors/0/extensions/code"), "GRAPHQL_VALIDATION_FAILED");
        assert!(!reply.body.to_string().contains("Did you mean"), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_schema_that_is_shown_corrects_typing_errors() {
    let test = TestApp::start().await;
    let reply = test.anonymous().run("{ helo }").await;
    assert!(reply.at("/errors/0/message").as_str().is_some_and(|message| message.contains("Did you mean \"hello\"?")));
}
