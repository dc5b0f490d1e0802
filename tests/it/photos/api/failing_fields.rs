//! Fields that fail beside photos or inside of them: the photos of the payload are kept.

use serde_json::{Value, json};

use crate::support::{Caller, Form, Reply, TestApp, alter, ids, picture};

/// Uploads a picture, and selects these fields of the photo and of the mutation.
async fn upload(user: &Caller, photo: &str, beside: &str) -> Reply {
    let mutation = format!(
        "mutation ($file: Upload!) {{
         uploadPhotos(input: {{ photos: [{{ file: $file }}] }}) {{ photos {{ id {photo} }} userErrors {{ code }} }}
         {beside} }}"
    );
    let form = Form::of(&mutation, &json!({ "file": null }), &[("variables.file", &picture([1, 2, 3]))]);
    user.upload(form).await
}

#[tokio::test]
async fn an_upload_keeps_its_photos_beside_a_field_that_fails() {
    let (_test, anna) = TestApp::with_user().await;
    let reply = upload(&anna, "author { username }", "next(input: { counter: \"nope\" }) { value }").await;
    assert_eq!((reply.code(), reply.at("/errors/0/path")), ("NOT_FOUND", &json!(["next"])), "{}", reply.body);
    assert_eq!(reply.at("/data/uploadPhotos/photos/0/author/username"), "anna");
    assert_eq!(ids(reply.at("/data/uploadPhotos/photos")), anna.own_photos("").await);
}

#[tokio::test]
async fn an_author_that_cannot_be_loaded_leaves_the_rest_of_the_photo() {
    let (test, anna) = TestApp::with_user().await;
    let published = anna.publish("#sea").await;
    alter(&test, "ALTER TABLE users RENAME COLUMN name TO gone").await;
    let reply = upload(&anna, "state author { username }", "").await;
    let path = json!(["uploadPhotos", "photos", 0, "author"]);
    assert_eq!((reply.code(), reply.at("/errors/0/path")), ("INTERNAL_SERVER_ERROR", &path), "{}", reply.body);
    let photo = reply.at("/data/uploadPhotos/photos/0");
    assert!(photo["id"].is_string(), "{}", reply.body);
    assert_eq!((&photo["state"], &photo["author"]), (&json!("DRAFT"), &Value::Null));
    let edit = "mutation ($id: ID!) { editPhotos(input: { edits: [{ photoId: $id, caption: \"#sun\" }] }) {
        photos { id tags author { username } } userErrors { code } } }";
    let reply = anna.run_with(edit, json!({ "id": published })).await;
    let photo = json!({ "id": published, "tags": ["sun"], "author": null });
    assert_eq!(reply.at("/data/editPhotos"), &json!({ "photos": [photo], "userErrors": [] }), "{}", reply.body);
}
