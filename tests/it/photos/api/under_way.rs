//! Uploads that take their time: what others see of them meanwhile, and what becomes of those that are given up.

use chrono::TimeDelta;
use cloakroom::config::Config;
use cloakroom::photos::Filter;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::contents::{blob_rows, set_terms, sweep};
use super::published::asking;
use crate::support::{Caller, Gate, PATIENCE, Reply, TestApp, alter, picture_no};

/// A server whose storage waits for the test, and somebody who is signed in.
async fn gated(adapt: impl FnOnce(&mut Config)) -> (TestApp, Caller, Gate) {
    let gate = Gate::closed().await;
    let test = TestApp::with_config(|config| {
        gate.settings(&mut config.storage);
        adapt(config);
    })
    .await;
    let anna = test.sign_up("anna").await;
    (test, anna, gate)
}

/// Begins to upload a picture, published at once.
fn upload(user: &Caller) -> JoinHandle<Reply> {
    let user = user.clone();
    tokio::spawn(async move { user.try_upload(&[(&picture_no(1), None)], true).await })
}

#[tokio::test]
async fn a_photo_is_published_when_its_upload_ends_and_listeners_hear_of_it() {
    let (test, anna, gate) = gated(|_| {}).await;
    let bert = asking(&test.sign_up("bert").await).await;
    let Ok(mut news) = test.app.photos.watch(&bert, &Filter::default()).await else { panic!("nobody listens") };
    let uploading = upload(&anna);
    gate.knocked().await;
    test.clock.advance(60);
    gate.open();
    let reply = uploading.await.expect("it ends");
    let photo = &reply.data()["uploadPhotos"]["photos"][0];
    for field in ["createdAt", "updatedAt", "publishedAt"] {
        assert_eq!(photo[field], "2026-11-20T12:01:00.000000Z", "{field}");
    }
    let heard = tokio::time::timeout(PATIENCE, news.next()).await.expect("it is heard of");
    assert_eq!(heard.expect("news").expect("a photo").id.to_string(), photo["id"].as_str().expect("an id"));
}

#[tokio::test]
async fn contents_of_an_upload_that_nobody_waits_for_any_more_go_with_the_next_sweep() {
    let (test, anna, gate) = gated(|_| {}).await;
    let uploading = upload(&anna);
    gate.knocked().await;
    sweep(&test).await;
    assert_ne!(test.rows().await.blobs, 0, "it is under way");
    uploading.abort();
    assert!(uploading.await.expect_err("it is given up").is_cancelled());
    gate.open();
    let swept = async {
        while test.rows().await.blobs > 0 {
            // The storage here does not say that it has removed anything, and one at a time is condemned.
            drop(test.app.photos.sweep().await);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, swept).await.expect("they are swept");
}

/// Two at once, of which one has claimed the same contents later.
#[tokio::test]
async fn whoever_fails_gives_up_nothing_that_was_claimed_since() {
    let (test, anna, gate) = gated(|_| {}).await;
    let first = upload(&anna);
    gate.knocked().await;
    let rows = test.rows().await.blobs;
    test.clock.advance(60);
    // As the claim of a second upload leaves them, which is under way for the rest of this test.
    set_terms(&test, TimeDelta::hours(1)).await;
    first.abort();
    assert!(first.await.expect_err("it is given up").is_cancelled());
    // Behind whatever it still wrote.
    test.sign_up("bert").await;
    sweep(&test).await;
    assert_eq!(test.rows().await.blobs, rows);
}

/// As when another upload of the same has failed meanwhile.
#[tokio::test]
async fn what_is_swept_while_an_upload_is_under_way_is_stored_once_more() {
    let (test, anna, gate) = gated(|_| {}).await;
    let uploading = upload(&anna);
    gate.knocked().await;
    alter(&test, "UPDATE blobs SET hash = NULL").await;
    let first = blob_rows(&test).await;
    gate.open();
    let reply = uploading.await.expect("it ends");
    assert!(reply.data()["uploadPhotos"]["photos"][0]["id"].is_string(), "{}", reply.body);
    let rows = test.rows().await;
    assert_eq!((rows.photos, rows.images, rows.blobs, blob_rows(&test).await), (1, 4, first, 2 * first));
}

#[tokio::test]
async fn an_upload_keeps_its_place_until_it_is_answered() {
    let (test, anna, gate) = gated(|config| config.photos.max_uploads_per_user = 1).await;
    let bert = test.sign_up("bert").await;
    let uploading = upload(&anna);
    gate.knocked().await;
    let refused = upload(&anna).await.expect("it is answered");
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "RATE_LIMITED"), "{}", refused.body);
    gate.open();
    assert_eq!(upload(&bert).await.expect("it ends").data()["uploadPhotos"]["userErrors"], Value::Array(Vec::new()));
    assert_eq!(uploading.await.expect("it ends").data()["uploadPhotos"]["userErrors"], Value::Array(Vec::new()));
    assert!(
        upload(&anna).await.expect("it ends").data()["uploadPhotos"]["photos"].is_array(),
        "there is a place again"
    );
}
