//! Alive is not ready: what a load balancer asks for.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answers, Caller, Hold, PATIENCE, StubS3, TestApp, TestDatabase, TestStorage, alter};

/// The body of a server of which these parts fail.
fn report(status: &str, failed: &[&str]) -> Value {
    let mut body = json!({ "status": status });
    for part in ["database", "disk", "keys", "storage"] {
        let failure = if part == "keys" { "degraded" } else { "unavailable" };
        body[part] = if failed.contains(&part) { failure } else { "ok" }.into();
    }
    body
}

/// Asks until the answer is this one: an outcome is valid for a second.
async fn eventually(caller: &Caller, status: u16, body: &Value) {
    let asked = async {
        loop {
            let reply = caller.get("/readyz").await;
            if (reply.status.as_u16(), &reply.body) == (status, body) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("the answer comes");
}

async fn assert_not_ready(test: &TestApp) {
    for path in ["/readyz", "/health"] {
        let reply = test.anonymous().get(path).await;
        assert_eq!(reply.status.as_u16(), 503, "{path}");
        assert_eq!(reply.body["status"], "unavailable");
        assert_eq!(reply.body["database"], "unavailable", "the cause is in the log alone");
    }
    let alive = test.anonymous().get("/healthz").await;
    assert_eq!((alive.status.as_u16(), alive.body), (200, json!({ "status": "ok" })));
}

#[tokio::test]
async fn a_server_that_serves_is_alive_and_ready() {
    let test = TestApp::start().await;
    let (ok, all_ok) = (json!({ "status": "ok" }), report("ok", &[]));
    let parts = ["/readyz/database", "/readyz/disk", "/readyz/keys", "/readyz/storage"];
    let expected = [("/healthz", &ok), ("/readyz", &all_ok), ("/health", &all_ok)];
    for (path, body) in expected.into_iter().chain(parts.map(|path| (path, &ok))) {
        let reply = test.anonymous().get(path).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, body), "{path}");
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
async fn a_file_that_is_no_key_is_told_and_leaves_a_server_ready() {
    let test = TestApp::start().await;
    let garbage = test.data_dir().join("keys/garbage.json");
    eventually(&test.anonymous(), 200, &report("ok", &[])).await;
    fs::write(&garbage, "{}").expect("the folder is writable");
    eventually(&test.anonymous(), 200, &report("ok", &["keys"])).await;
    let part = test.anonymous().get("/readyz/keys").await;
    assert_eq!((part.status.as_u16(), part.body), (503, json!({ "status": "degraded" })));
    fs::remove_file(&garbage).expect("it goes");
    eventually(&test.anonymous(), 200, &report("ok", &[])).await;
}

#[tokio::test]
async fn a_storage_that_is_gone_is_told_apart_and_leaves_the_numbers_in_rotation() {
    if TestStorage::is_s3() {
        return; // The folder is the point.
    }
    let (test, user) = TestApp::with_user().await;
    eventually(&user, 200, &report("ok", &[])).await;
    let (photos, moved) = (test.data_dir().join("photos"), test.data_dir().join("moved"));
    fs::rename(&photos, &moved).expect("it is moved");
    eventually(&user, 200, &report("ok", &["storage"])).await;
    assert_eq!(user.get("/readyz/storage").await.status.as_u16(), 503);
    assert_eq!(user.get("/readyz/database").await.status.as_u16(), 200);
    assert_eq!(user.next().await, 1);
    assert!(!photos.exists(), "it is not created again");
    fs::rename(&moved, &photos).expect("it is moved back");
    eventually(&user, 200, &report("ok", &[])).await;
}

#[tokio::test]
async fn a_part_that_does_not_exist_is_not_found() {
    let test = TestApp::start().await;
    assert_eq!(test.anonymous().get("/readyz/moon").await.status.as_u16(), 404);
}

#[tokio::test]
async fn many_probes_at_once_are_one() {
    let test = TestApp::start().await;
    let anonymous = test.anonymous();
    let replies = futures_util::future::join_all((0..100).map(|_| anonymous.get("/readyz"))).await;
    assert!(replies.iter().all(|reply| reply.status.as_u16() == 200));
    let replies = futures_util::future::join_all((0..100).map(|_| anonymous.get("/readyz/storage"))).await;
    assert!(replies.iter().all(|reply| reply.status.as_u16() == 200));
}

#[tokio::test]
async fn probes_run_at_most_once_a_second_however_many_ask() {
    let s3 = StubS3::start().await;
    let test = TestApp::with_config(|config| s3.settings(&mut config.storage)).await;
    let anonymous = test.anonymous();
    let (before, began) = (s3.marker_reads(), Instant::now());
    // The time that passes is the point: probes of three seconds.
    while began.elapsed() < Duration::from_secs(3) {
        let paths = ["/readyz", "/health", "/readyz/storage", "/readyz/database"];
        let replies = futures_util::future::join_all(paths.map(|path| anonymous.get(path))).await;
        assert!(replies.iter().all(|reply| reply.status.as_u16() == 200));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // One at once, and one for each second after it.
    let most = usize::try_from(began.elapsed().as_secs()).expect("seconds") + 1;
    let probed = s3.marker_reads() - before;
    assert!((1..=most).contains(&probed), "{probed} probes in {:?}", began.elapsed());
    assert!((1..=most.div_ceil(3) + 1).contains(&s3.probes()), "{} objects in {:?}", s3.probes(), began.elapsed());
}

#[tokio::test]
async fn a_storage_that_accepts_no_writes_is_seen_and_leaves_the_numbers_in_rotation() {
    let s3 = StubS3::start().await;
    let test = TestApp::with_config(|config| s3.settings(&mut config.storage)).await;
    let user = test.sign_up("anna").await;
    eventually(&user, 200, &report("ok", &[])).await;
    for answers in [Answers::Writes(403, "AccessDenied"), Answers::Writes(507, "InsufficientStorage")] {
        s3.answer(answers);
        eventually(&user, 200, &report("ok", &["storage"])).await;
        assert_eq!(user.get("/readyz/storage").await.status.as_u16(), 503);
        assert_eq!(user.next().await, 1);
        s3.answer(Answers::Fine);
        eventually(&user, 200, &report("ok", &[])).await;
        user.run("mutation { setCurrent(input: { current: 0 }) { previous } }").await;
    }
}

#[tokio::test]
async fn a_probe_is_no_photo() {
    let (test, user) = TestApp::with_user().await;
    eventually(&user, 200, &report("ok", &[])).await;
    assert_eq!(test.objects().await, []);
}

#[tokio::test]
async fn probes_neither_wait_for_writes_nor_hold_them_up() {
    let (test, user) = TestApp::with_user().await;
    let hold = Hold::of_counters(&test).await;
    for path in ["/healthz", "/readyz", "/health"] {
        let reply = tokio::time::timeout(PATIENCE, test.anonymous().get(path)).await;
        let status = reply.expect("an answer before the writes go on").status.as_u16();
        // On SQLite a transaction locks the whole database: nothing can be written.
        let is_locked = TestDatabase::is_sqlite() && path != "/healthz";
        assert_eq!(status, if is_locked { 503 } else { 200 }, "{path}");
    }
    hold.release().await;
    assert_eq!(user.next().await, 1);
}
