//! Alive is not ready: what a load balancer asks for.

use serde_json::json;

use crate::support::{Hold, PATIENCE, TestApp, alter};

async fn assert_not_ready(test: &TestApp) {
    for path in ["/readyz", "/health"] {
        let reply = test.anonymous().get(path).await;
        assert_eq!(reply.status.as_u16(), 503, "{path}");
        assert_eq!(reply.body, json!({ "status": "unavailable" }), "the cause is in the log alone");
    }
    let alive = test.anonymous().get("/healthz").await;
    assert_eq!((alive.status.as_u16(), alive.body), (200, json!({ "status": "ok" })));
}

#[tokio::test]
async fn a_server_that_serves_is_alive_and_ready() {
    let test = TestApp::start().await;
    for path in ["/healthz", "/readyz", "/health"] {
        let reply = test.anonymous().get(path).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &json!({ "status": "ok" })), "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        assert!(reply.header("content-type").starts_with("application/json"), "{path}");
    }
}

#[tokio::test]
async fn without_its_database_it_is_alive_but_not_ready() {
    let test = TestApp::start().await;
    test.app.database.clone().close().await;
    assert_not_ready(&test).await;
}

#[tokio::test]
async fn with_pending_migrations_it_is_alive_but_not_ready() {
    let test = TestApp::start().await;
    let last = "DELETE FROM seaql_migrations WHERE version = (SELECT MAX(version) FROM seaql_migrations)";
    alter(&test, last).await;
    assert_not_ready(&test).await;
}

#[tokio::test]
async fn with_a_newer_database_it_is_alive_but_not_ready() {
    let test = TestApp::start().await;
    alter(&test, "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 1)").await;
    assert_not_ready(&test).await;
}

#[tokio::test]
async fn probes_neither_wait_for_writes_nor_hold_them_up() {
    let (test, user) = TestApp::with_user().await;
    let hold = Hold::of_counters(&test).await;
    for path in ["/healthz", "/readyz", "/health"] {
        let reply = tokio::time::timeout(PATIENCE, test.anonymous().get(path)).await;
        assert_eq!(reply.expect("an answer before the writes go on").status.as_u16(), 200, "{path}");
    }
    hold.release().await;
    assert_eq!(user.next().await, 1);
}
