//! Drafts and published photos: who sees what, and which moment counts.

use serde_json::{Value, json};

use super::found;
use crate::support::{TestApp, ids};

const NOTHING: &str = "nothing of it is found";

fn nothing() -> Value {
    let none = json!({ "totalCount": 0, "nodes": [] });
    let mut photos = none.clone();
    photos["edges"] = json!([]);
    json!({ "photo": null, "node": null, "nodes": [null], "photos": photos, "byAuthor": none, "byTag": none })
}

fn everywhere(id: &str) -> Value {
    let (one, all) = (json!({ "id": id }), json!({ "totalCount": 1, "nodes": [{ "id": id }] }));
    let mut photos = all.clone();
    photos["edges"] = json!([{ "node": one }]);
    json!({ "photo": one, "node": one, "nodes": [one], "photos": photos, "byAuthor": all, "byTag": all })
}

#[tokio::test]
async fn a_draft_is_its_authors_alone() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, root) = (test.sign_up("bert").await, test.admin("root").await);
    let id = anna.draft("At the #sea").await;
    for (who, caller) in [("somebody else", &bert), ("an administrator", &root)] {
        assert_eq!(found(caller, &id).await, nothing(), "{who}: {NOTHING}");
        assert_eq!(caller.own_photos("").await, [""; 0], "{who}");
    }
    // Its author finds it by its id and among their own, but not among everybody's.
    let mut own = nothing();
    own["photo"] = json!({ "id": id });
    own["node"] = json!({ "id": id });
    own["nodes"] = json!([{ "id": id }]);
    assert_eq!(found(&anna, &id).await, own);
    for arguments in ["", "(state: DRAFT)", "(tags: [\"Sea\"])", "(state: DRAFT, tags: [\"#SEA\"], order: ASC)"] {
        assert_eq!(anna.own_photos(arguments).await, [id.as_str()], "{arguments}");
    }
    assert_eq!(anna.own_photos("(state: PUBLISHED)").await, [""; 0]);
}

#[tokio::test]
async fn a_published_photo_is_everywhere_until_it_is_unpublished() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let id = anna.draft("At the #sea").await;
    let published = anna.change("publishPhotos", &[&id]).await;
    assert_eq!((ids(&published), &published[0]["state"]), (vec![id.clone()], &json!("PUBLISHED")));
    for caller in [&anna, &bert] {
        assert_eq!(found(caller, &id).await, everywhere(&id));
    }
    assert_eq!(anna.own_photos("(state: PUBLISHED)").await, [id.as_str()]);
    assert_eq!(bert.own_photos("").await, [""; 0], "of others nobody owns any");

    let unpublished = anna.change("unpublishPhotos", &[&id]).await;
    assert_eq!(unpublished[0]["state"], "DRAFT");
    assert_eq!(found(&bert, &id).await, nothing(), "{NOTHING}");
    assert_eq!(anna.photos("").await, [""; 0], "also its author's list of everybody's is without it");
    assert_eq!(anna.own_photos("(state: DRAFT)").await, [id]);
}

#[tokio::test]
async fn the_first_publication_dates_a_photo_for_good() {
    let (test, anna) = TestApp::with_user().await;
    let shown = async |id: &str| {
        let query = format!("{{ photo(id: \"{id}\") {{ state createdAt updatedAt publishedAt }} }}");
        anna.run(&query).await.data()["photo"].clone()
    };
    let id = anna.draft("").await;
    let draft = shown(&id).await;
    assert_eq!((&draft["publishedAt"], &draft["updatedAt"]), (&Value::Null, &draft["createdAt"]));

    test.clock.advance(60);
    let first = anna.change("publishPhotos", &[&id]).await[0].clone();
    assert_eq!(first["publishedAt"], "2026-11-20T12:01:00.000000Z");
    assert_eq!((&first["updatedAt"], &first["createdAt"]), (&first["publishedAt"], &draft["createdAt"]));

    // What is published stays as it is.
    test.clock.advance(60);
    assert_eq!(anna.change("publishPhotos", &[&id]).await[0], first);

    test.clock.advance(60);
    let gone = anna.change("unpublishPhotos", &[&id]).await[0].clone();
    assert_eq!(gone["publishedAt"], first["publishedAt"]);
    assert_eq!(gone["updatedAt"], "2026-11-20T12:03:00.000000Z");
    test.clock.advance(60);
    assert_eq!(anna.change("unpublishPhotos", &[&id]).await[0], gone, "a draft is no less a draft");

    let again = anna.change("publishPhotos", &[&id]).await[0].clone();
    assert_eq!(again["publishedAt"], first["publishedAt"]);
    assert_eq!(again["updatedAt"], "2026-11-20T12:04:00.000000Z");
    // What the payloads say is what is stored.
    let stored = shown(&id).await;
    for field in ["state", "createdAt", "updatedAt", "publishedAt"] {
        assert_eq!(stored[field], again[field], "{field}");
    }
}

#[tokio::test]
async fn an_upload_can_publish_at_once() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let id = anna.publish("At the #sea").await;
    assert_eq!(found(&bert, &id).await, everywhere(&id));
    let photo =
        bert.run(&format!("{{ photo(id: \"{id}\") {{ state createdAt publishedAt author {{ username }} }} }}")).await;
    let photo = &photo.data()["photo"];
    assert_eq!(photo["publishedAt"], photo["createdAt"]);
    assert_eq!((&photo["state"], &photo["author"]["username"]), (&json!("PUBLISHED"), &json!("anna")));
}

#[tokio::test]
async fn a_deleted_photo_is_nowhere() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let (draft, published) = (anna.draft("#sea").await, anna.publish("#sea").await);
    assert_eq!(anna.change("deletePhotos", &[&published, &draft]).await, json!([published, draft]));
    for caller in [&anna, &bert] {
        for id in [&draft, &published] {
            assert_eq!(found(caller, id).await, nothing(), "{NOTHING}");
        }
    }
    assert_eq!(anna.own_photos("").await, [""; 0]);
    for verb in ["publishPhotos", "unpublishPhotos", "deletePhotos"] {
        let reply = anna.try_change(verb, &[&draft]).await;
        assert_eq!(reply.user_errors(verb), ["NOT_FOUND input.photoIds.0"], "{verb}");
    }
}

#[tokio::test]
async fn photos_are_as_they_were_after_a_restart() {
    let (mut test, anna) = TestApp::with_user().await;
    let (draft, published) = (anna.draft("#a").await, anna.publish("#b").await);
    let query = "{ viewer { photos(order: ASC) { nodes { id state caption tags thumbhash createdAt publishedAt
                   image { width height contentType byteSize } } } storage { usedBytes } } }";
    let before = anna.run(query).await.data().clone();
    assert_eq!(ids(&before["viewer"]["photos"]["nodes"]), [draft, published]);
    test.restart().await;
    assert_eq!(test.bearer(anna.token.as_deref()).run(query).await.data(), &before);
}
