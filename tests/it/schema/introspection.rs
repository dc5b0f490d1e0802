//! Asking for the schema: what tools ask passes, what multiplies does not, and it can be switched off.

use serde_json::json;

use super::cached_documents::run_named;
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
async fn the_schema_describes_itself() {
    let test = TestApp::start().await;
    let caller = test.anonymous();
    let schema = introspect(&caller).await;
    let description = schema["description"].as_str().expect("a description");
    assert!(description.contains("Cloakroom") && !description.contains("A GraphQL Schema defines"), "{description}");
    let exported = format!("\n\"\"\"\n{description}\n\"\"\"\nschema {{\n");
    assert!(include_str!("../../../schema.graphql").contains(&exported), "{exported}");
    let expected = json!({ "description": description });
    for (query, field) in [
        ("{ hello __schema { description } }", "__schema"),
        ("{ s: __schema { description } }", "s"),
        ("query A { hello } query B { s: __schema { description } }", "s"),
        ("{ ...Q } fragment Q on Query { __schema { ...S } } fragment S on __Schema { description }", "__schema"),
        ("{ ... { __schema { ... on __Schema { description } } } }", "__schema"),
        ("{ __schema { description } __schema { description queryType @skip(if: true) { name } } }", "__schema"),
    ] {
        for _ in ["new", "cached"] {
            let reply = match query.starts_with("query A") {
                true => run_named(&caller, query, "B").await,
                false => caller.run(query).await,
            };
            assert_eq!(reply.data()[field], expected, "{query}");
        }
    }
    let streamed = caller.listen("{ __schema { description } }").await;
    assert_eq!(streamed.at("/data/__schema"), &expected);
    let other = "{ __schema { d: description description: __typename left: description @include(if: false) } }";
    let reply = caller.run(other).await;
    assert_eq!(reply.data()["__schema"], json!({ "d": description, "description": "__Schema" }));
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
