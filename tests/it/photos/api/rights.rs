//! Who may do what with photos: nobody, programs with keys, and who is shut out.

use serde_json::json;

use super::found;
use crate::support::{Caller, TestApp, picture};

const CHANGES: [&str; 3] = ["publishPhotos", "unpublishPhotos", "deletePhotos"];

async fn assert_may_not_change(caller: &Caller, id: &str, status: u16, code: &str) {
    let picture = picture([1, 2, 3]);
    let upload = caller.with_header("apollo-require-preflight", "1").try_upload(&[(&picture, None)], true).await;
    assert_eq!((upload.status.as_u16(), upload.code()), (status, code), "{}", upload.body);
    for verb in CHANGES {
        assert_eq!(caller.try_change(verb, &[id]).await.code(), code, "{verb}");
    }
    assert_eq!(caller.try_edit(&[(id, None)]).await.code(), code);
}

async fn assert_may_not_read(caller: &Caller, id: &str, code: &str) {
    for query in [
        "{ photos { totalCount } }".to_owned(),
        "{ photos { nodes { id author { username } image { url } } } }".to_owned(),
        format!("{{ photo(id: \"{id}\") {{ id }} }}"),
        format!("{{ node(id: \"{id}\") {{ id }} }}"),
    ] {
        let reply = caller.run(&query).await;
        assert_eq!(reply.code(), code, "{query}: {}", reply.body);
    }
    assert_eq!(caller.listen("subscription { photoPublished { id } }").await.code(), code);
}

#[tokio::test]
async fn nobody_neither_sees_nor_changes_photos() {
    let (test, anna) = TestApp::with_user().await;
    let id = anna.publish("#sea").await;
    assert_may_not_read(&test.anonymous(), &id, "UNAUTHENTICATED").await;
    assert_may_not_change(&test.anonymous(), &id, 401, "UNAUTHENTICATED").await;
    assert_eq!(anna.photos("").await, [id]);
}

#[tokio::test]
async fn a_key_reads_or_writes_as_its_scopes_say() {
    let (test, anna) = TestApp::with_user().await;
    let id = anna.draft("#sea").await;
    let reader = test.key_of(&anna, "scopes: [PHOTOS_READ]").await;
    let writer = test.key_of(&anna, "scopes: [PHOTOS_WRITE]").await;
    let other = test.key_of(&anna, "scopes: [ACCOUNT_READ, COUNTERS_READ, COUNTERS_NEXT, COUNTERS_WRITE]").await;

    assert_eq!(reader.own_photos("(state: DRAFT)").await, [id.as_str()]);
    assert_eq!(found(&reader, &id).await["photo"], json!({ "id": id }));
    assert_eq!(reader.used_bytes().await, anna.used_bytes().await);
    assert_may_not_change(&reader, &id, 403, "FORBIDDEN").await;

    assert_may_not_read(&writer, &id, "FORBIDDEN").await;
    assert_eq!(writer.run("{ viewer { storage { usedBytes } } }").await.code(), "FORBIDDEN");
    let new = writer.publish("#sea by a program").await;
    // What it changes it is shown, with all there is to it.
    let mutation = format!(
        "mutation {{ publishPhotos(input: {{ photoIds: [\"{id}\"] }}) {{ photos {{ author {{ username email }} tags
         image(size: SMALL) {{ width url }} }} userErrors {{ code }} }} }}"
    );
    let shown = writer.run(&mutation).await.data()["publishPhotos"]["photos"][0].clone();
    assert_eq!(shown["author"], json!({ "username": "anna", "email": null }), "of the account it sees what all see");
    assert_eq!(shown["image"]["width"], 40);
    assert_eq!(anna.photos("").await.len(), 2);
    writer.edit(&[(&new, Some("edited"))]).await;
    writer.change("deletePhotos", &[&new]).await;

    assert_may_not_read(&other, &id, "FORBIDDEN").await;
    assert_may_not_change(&other, &id, 403, "FORBIDDEN").await;
    assert_eq!(anna.photos("").await, [id]);
}

#[tokio::test]
async fn a_key_for_one_counter_has_nothing_to_do_with_photos() {
    let (test, anna) = TestApp::with_user().await;
    let id = anna.publish("#sea").await;
    let create = "mutation { createApiKey(input: { password: \"correct horse battery\", name: \"k\", scopes: [COUNTERS_READ, PHOTOS_READ, PHOTOS_WRITE],
                  counter: \"default\" }) { secret userErrors { code field } } }";
    let reply = anna.run(create).await;
    if let Some(secret) = reply.data()["createApiKey"]["secret"].as_str() {
        let key = test.bearer(Some(secret));
        assert_may_not_read(&key, &id, "FORBIDDEN").await;
        assert_may_not_change(&key, &id, 403, "FORBIDDEN").await;
    } else {
        assert_eq!(reply.user_errors("createApiKey").len(), 1, "{}", reply.body);
    }
    let key = test.key_of(&anna, "scopes: [COUNTERS_READ], counter: \"default\"").await;
    assert_may_not_read(&key, &id, "FORBIDDEN").await;
    assert_may_not_change(&key, &id, 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn whoever_is_suspended_uploads_nothing() {
    let (test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let key = test.key_of(&anna, "scopes: [PHOTOS_READ, PHOTOS_WRITE]").await;
    let id = anna.publish("#sea").await;
    let user = anna.user_id().await;
    let suspend = format!("mutation {{ suspendUser(input: {{ userId: \"{user}\" }}) {{ userErrors {{ code }} }} }}");
    root.run(&suspend).await.data();
    for caller in [&anna, &key] {
        assert_may_not_change(caller, &id, 401, "UNAUTHENTICATED").await;
    }
    assert_eq!(test.rows().await.photos, 1);
    assert_eq!(root.photos("(author: \"anna\")").await, [id], "what was published stays");
    let reinstate =
        format!("mutation {{ reinstateUser(input: {{ userId: \"{user}\" }}) {{ userErrors {{ code }} }} }}");
    root.run(&reinstate).await.data();
    test.sign_in("anna").await.draft("back").await;
}
