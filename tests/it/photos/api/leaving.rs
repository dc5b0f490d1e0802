//! What becomes of the photos of somebody who leaves.

use cloakroom::id::UserId;
use serde_json::json;

use super::contents::assert_whole;
use super::found;
use crate::support::{Caller, PASSWORD, TestApp, picture, picture_no};

async fn leave(caller: &Caller) {
    let mutation = "mutation ($password: String!) { deleteAccount(input: { password: $password }) { deletedUserId } }";
    let reply = caller.run_with(mutation, json!({ "password": PASSWORD })).await;
    assert!(reply.data()["deleteAccount"]["deletedUserId"].is_string(), "{}", reply.body);
}

#[tokio::test]
async fn the_photos_of_a_deleted_account_are_nowhere_at_once() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, root) = (test.sign_up("bert").await, test.admin("root").await);
    let id = anna.publish("#sea").await;
    let theirs = bert.publish("#sea").await;
    assert_eq!(bert.photos("").await.len(), 2);
    leave(&anna).await;
    for caller in [&bert, &root] {
        let found = found(caller, &id).await;
        assert_eq!((&found["photo"], &found["node"], &found["nodes"]), (&json!(null), &json!(null), &json!([null])));
        assert_eq!(found["photos"]["nodes"], json!([{ "id": theirs }]));
        assert_eq!((&found["photos"]["totalCount"], &found["byTag"]["totalCount"]), (&json!(1), &json!(1)));
        assert_eq!(found["byAuthor"], json!({ "totalCount": 0, "nodes": [] }));
    }
    test.app.photos.sweep().await.expect("a sweep");
    assert_eq!(test.rows().await.photos, 2, "for the time of grace they are kept");
}

#[tokio::test]
async fn whoever_comes_back_finds_their_photos_again() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let (draft, published) = (anna.draft("#sea").await, anna.publish("#sea").await);
    let user = UserId::parse(&anna.user_id().await).expect("an id");
    leave(&anna).await;
    test.app.photos.sweep().await.expect("a sweep");
    let back = test.app.accounts.restore(&cloakroom::caller::Caller::operator(), user).await;
    assert!(back.is_ok(), "{back:?}");
    assert_eq!(bert.photos("").await, [published.as_str()]);
    let anna = test.sign_in("anna").await;
    assert_eq!(anna.own_photos("(order: ASC)").await, [draft, published]);
    assert_eq!(assert_whole(&test).await, 8);
}

#[tokio::test]
async fn after_the_time_of_grace_photos_and_contents_are_removed_but_what_others_share() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let (shared, own) = (picture([1, 2, 3]), picture_no(7));
    anna.drafts(&[&shared, &own]).await;
    anna.publish("#sea").await;
    let kept = bert.drafts(&[&shared]).await;
    leave(&anna).await;
    test.clock.advance(7 * 86_400 + 1);
    assert!(test.app.accounts.sweep().await.is_ok());
    // Its author gone, a photo is nobody's until the sweep comes by.
    let root = test.admin("root").await;
    assert_eq!(root.photos("").await, [""; 0]);
    test.app.photos.sweep().await.expect("a sweep");
    let rows = test.rows().await;
    assert_eq!((rows.photos, rows.images, rows.tags), (1, 4, 0));
    assert_eq!(assert_whole(&test).await, 4);
    let bert = test.sign_in("bert").await;
    assert_eq!(bert.own_photos("").await, kept);
    bert.change("deletePhotos", &[&kept[0]]).await;
    test.app.photos.sweep().await.expect("a sweep");
    assert_eq!((test.rows().await.blobs, test.objects().await.len()), (0, 0));
}
