//! Deleted counters: gone at once, and purged in bounded batches in the background, whatever interrupts that.

use cloakroom::accounts::api_key;
use cloakroom::counters::{Next, answer, counter};
use futures_util::future::join_all;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::json;

use super::{create, delete, in_person, program, range, take};
use crate::support::{Caller, PATIENCE, Statements, TestApp, export};

/// More than two batches of the largest size.
const RECORDS: u64 = 2500;

async fn records(test: &TestApp) -> u64 {
    answer::Entity::find().count(test.app.database.reader()).await.expect("answers are counted")
}

async fn marked(test: &TestApp) -> u64 {
    let marked = counter::Entity::find().filter(counter::Column::DeletedAt.is_not_null());
    marked.count(test.app.database.reader()).await.expect("counters are counted")
}

/// A user whose counter `a` has many records.
async fn with_records() -> (TestApp, Caller) {
    let test = TestApp::with_config(|config| config.counters.max_batch = 10_000).await;
    let user = test.sign_up("anna").await;
    create(&user, r#"name: "a""#).await;
    let person = in_person(&user).await;
    let keys: Vec<String> = (0..RECORDS).map(|key| key.to_string()).collect();
    let take = |key: &String| {
        let next = Next { counter: Some("a"), count: 1, idempotency_key: Some(key.as_str().into()) };
        test.app.counters.next(&person, next)
    };
    for outcome in join_all(keys.iter().map(take)).await {
        outcome.expect("an integer");
    }
    assert_eq!(records(&test).await, RECORDS);
    (test, user)
}

#[tokio::test]
async fn a_deleted_counter_is_gone_and_its_name_free_before_anything_is_purged() {
    let (test, user) = with_records().await;
    let id = user.run("{ viewer { counter(name: \"a\") { id } } }").await.data()["viewer"]["counter"]["id"].clone();
    let limited = program(&test, &user, "COUNTERS_NEXT, COUNTERS_READ", Some("a")).await;
    assert!(range(&take(&limited, "counter: \"a\"").await).is_ok());
    Statements::count();
    let before = Statements::count();
    assert_eq!(delete(&user, "a").await.user_errors("deleteCounter"), [""; 0]);
    assert!(before.in_transactions() <= 6, "a short transaction, not {} statements", before.in_transactions());
    assert_eq!((records(&test).await, marked(&test).await), (RECORDS, 1));

    assert_eq!(take(&user, "counter: \"a\"").await.code(), "NOT_FOUND");
    assert_eq!(take(&user, "counter: \"a\", idempotencyKey: \"0\"").await.code(), "NOT_FOUND");
    assert_eq!(user.run("{ current(counter: \"a\") }").await.code(), "NOT_FOUND");
    assert_eq!(delete(&user, "a").await.user_errors("deleteCounter"), ["NOT_FOUND input.name"]);
    assert!(limited.is_refused().await);
    let query = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id }
        viewer { counter(name: \"a\") { id } counters { totalCount nodes { name } } apiKeys { id } } }";
    let seen = user.run_with(query, json!({ "id": id })).await;
    let counters = json!({ "totalCount": 1, "nodes": [{ "name": "default" }] });
    let viewer = json!({ "counter": null, "counters": counters, "apiKeys": [] });
    assert_eq!(seen.data(), &json!({ "node": null, "nodes": [null], "viewer": viewer }));
    let operator = cloakroom::caller::Caller::operator();
    let user_id = cloakroom::id::UserId::parse(&user.user_id().await).expect("an id");
    let exported = export(&test, &operator, user_id).await.expect("an export");
    assert_eq!(exported["counters"].as_array().map(Vec::len), Some(1));

    create(&user, r#"name: "a", start: 70"#).await;
    assert_eq!(range(&take(&user, "counter: \"a\", idempotencyKey: \"0\"").await), Ok((71, 71)));
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!((records(&test).await, marked(&test).await), (1, 0));
    assert_eq!(range(&take(&user, "counter: \"a\", idempotencyKey: \"0\"").await), Ok((71, 71)), "it is still known");
}

/// No client reaches a deleted counter by the name that it has in the database.
#[tokio::test]
async fn the_row_of_a_deleted_counter_has_a_name_that_no_client_can_use() {
    let (test, user) = with_records().await;
    delete(&user, "a").await.data();
    let row = counter::Entity::find().filter(counter::Column::DeletedAt.is_not_null());
    let name = row.one(test.app.database.reader()).await.expect("a row").expect("it is marked").name;
    assert_eq!(take(&user, &format!("counter: \"{name}\"")).await.code(), "NOT_FOUND");
    assert_eq!(user.run(&format!("{{ current(counter: \"{name}\") }}")).await.code(), "NOT_FOUND");
    assert_eq!(delete(&user, &name).await.user_errors("deleteCounter"), ["NOT_FOUND input.name"]);
    let create = format!("mutation {{ createCounter(input: {{ name: \"{name}\" }}) {{ userErrors {{ code }} }} }}");
    assert_eq!(user.run(&create).await.user_errors("createCounter"), ["INVALID"]);
}

#[tokio::test]
async fn deleted_counters_make_room_for_others_at_once() {
    let test = TestApp::with_config(|config| config.counters.max_per_user = 2).await;
    let user = test.sign_up("anna").await;
    for _ in 0..5 {
        create(&user, r#"name: "a""#).await;
        delete(&user, "a").await.data();
    }
    assert_eq!(marked(&test).await, 5);
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!((marked(&test).await, test.rows().await.counters), (0, 1));
}

/// At whatever moment the purge is cut off, the next one removes the rest.
#[tokio::test]
async fn a_purge_that_is_cut_off_continues_after_a_restart() {
    let (mut test, user) = with_records().await;
    delete(&user, "a").await.data();
    let app = std::sync::Arc::clone(&test.app);
    let purge = tokio::spawn(async move { app.counters.sweep().await });
    let begun = async {
        while records(&test).await == RECORDS {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("the purge begins");
    purge.abort();
    drop(purge.await);
    test.restart().await;
    let left = records(&test).await;
    let counted = counter::Entity::find().filter(counter::Column::DeletedAt.is_not_null());
    let counted =
        counted.one(test.app.database.reader()).await.expect("a row").map_or(0, |row| row.idempotency_records);
    assert_eq!(u64::try_from(counted), Ok(left), "counted by the transaction that removes them");
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!((records(&test).await, marked(&test).await), (0, 0));
}

/// Four statements a batch at most, and three batches.
#[tokio::test]
async fn records_are_removed_in_batches() {
    let (test, user) = with_records().await;
    Statements::count();
    delete(&user, "a").await.data();
    let before = Statements::count();
    test.app.counters.sweep().await.expect("a sweep");
    assert!(before.in_transactions() >= 3 * 3, "{} statements are one batch", before.in_transactions());
    let (test, _user) = with_records().await;
    test.clock.advance(24 * 3600 + 1);
    let before = Statements::count();
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!(records(&test).await, 0);
    assert!(before.in_transactions() >= 3 * 4, "{} statements are one batch", before.in_transactions());
}

/// The purge begins with the deletion, not with the next minute.
#[tokio::test]
async fn the_upkeep_purges_a_deleted_counter_at_once() {
    let (test, user) = with_records().await;
    test.app.start_upkeep();
    // It has swept once before, and waits.
    for _ in 0..2 {
        create(&user, r#"name: "b""#).await;
        delete(&user, "b").await.data();
        let purged = async {
            while marked(&test).await > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, purged).await.expect("it is purged");
    }
    assert_eq!(records(&test).await, RECORDS);
}

/// A key is limited to a counter that is there, or refused; none survives its counter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_api_key_is_created_for_a_counter_that_is_deleted_at_the_same_time() {
    let (test, user) = TestApp::with_user().await;
    let mut created = 0;
    for _ in 0..20 {
        create(&user, r#"name: "a""#).await;
        let mutation = "mutation { createApiKey(input: { password: \"correct horse battery\", name: \"x\", scopes: [COUNTERS_NEXT], counter: \"a\" }) {
            secret userErrors { code field } } }";
        let (reply, deleted) = tokio::join!(user.run(mutation), delete(&user, "a"));
        assert_eq!(deleted.user_errors("deleteCounter"), [""; 0]);
        match reply.data()["createApiKey"]["secret"].as_str() {
            Some(secret) => {
                created += 1;
                assert!(test.bearer(Some(secret)).is_refused().await, "its counter is gone");
            }
            None => assert_eq!(reply.user_errors("createApiKey"), ["NOT_FOUND input.counter"]),
        }
        let keys = api_key::Entity::find().count(test.app.database.reader()).await.expect("keys are counted");
        assert_eq!(keys, 0, "after {created}");
    }
}
