//! Batches: all of them happens, or nothing does.

use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp, ids, ids_in, picture, picture_no};

const UNKNOWN: &str = "pho_00000000000070008000000000000000";
const CHANGES: [&str; 3] = ["publishPhotos", "unpublishPhotos", "deletePhotos"];

/// Everything that a caller's own photos say.
async fn own(caller: &Caller) -> Value {
    let query = "{ viewer { photos(first: 100) { totalCount nodes { id state caption tags updatedAt publishedAt } }
                   storage { usedBytes } } }";
    caller.run(query).await.data()["viewer"].clone()
}

fn assert_refused(reply: &Reply, mutation: &str, expected: &[&str]) {
    assert_eq!(reply.user_errors(mutation), expected, "{mutation}: {}", reply.body);
    let payload = &reply.data()[mutation];
    assert!(payload["photos"].is_null() && payload["deletedPhotoIds"].is_null(), "{payload}");
}

#[tokio::test]
async fn one_broken_file_and_nothing_is_uploaded() {
    let (test, anna) = TestApp::with_user().await;
    anna.draft("before").await;
    let (before, rows) = (own(&anna).await, test.rows().await);
    let (good, other) = (picture([1, 2, 3]), picture([3, 2, 1]));
    let broken = &good[..good.len() / 2];
    for (files, place) in [([broken, &good, &other], 0), ([&good, broken, &other], 1), ([&good, &other, broken], 2)] {
        let reply = anna.try_upload(&files.map(|file| (file, Some("#tag"))), true).await;
        assert_refused(&reply, "uploadPhotos", &[&format!("INVALID input.photos.{place}.file")]);
        assert_eq!(own(&anna).await, before);
        let now = test.rows().await;
        assert_eq!((now.photos, now.images, now.tags), (rows.photos, rows.images, rows.tags));
        assert_eq!(test.uploads(), 0, "no file of it is left");
    }
    // Everything that is wrong is named at once.
    let reply = anna.try_upload(&[(broken, None), (&good, None), (b"<svg/>", None), (b"", None)], false).await;
    let expected =
        ["INVALID input.photos.0.file", "UNSUPPORTED_MEDIA input.photos.2.file", "REQUIRED input.photos.3.file"];
    assert_refused(&reply, "uploadPhotos", &expected);
    assert_eq!(anna.photos("").await, [""; 0]);
}

#[tokio::test]
async fn a_whole_batch_is_uploaded_in_its_order() {
    let (_test, anna) = TestApp::with_user().await;
    let files: Vec<Vec<u8>> = (0..10).map(picture_no).collect();
    let captions: Vec<String> = (0..10).map(|n| format!("number {n}")).collect();
    let photos: Vec<(&[u8], Option<&str>)> =
        files.iter().zip(&captions).map(|(file, caption)| (file.as_slice(), Some(caption.as_str()))).collect();
    let reply = anna.try_upload(&photos, false).await;
    let new = ids_in(&reply, "uploadPhotos");
    for (photo, caption) in reply.data()["uploadPhotos"]["photos"].as_array().expect("photos").iter().zip(&captions) {
        assert_eq!((&photo["caption"], &photo["state"]), (&json!(caption), &json!("DRAFT")));
    }
    assert_eq!(anna.own_photos("(order: ASC)").await, new);
    // In any order they are changed, and answered in that order.
    let some: Vec<&str> = [7, 2, 9, 0].iter().map(|at: &usize| new[*at].as_str()).collect();
    for verb in CHANGES {
        let changed = anna.change(verb, &some).await;
        let changed = if verb == "deletePhotos" { changed } else { json!(ids(&changed)) };
        assert_eq!(changed, json!(some), "{verb}");
    }
    assert_eq!(anna.own_photos("").await.len(), 6);
}

#[tokio::test]
async fn one_photo_that_is_not_the_callers_and_nothing_changes() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, root) = (test.sign_up("bert").await, test.admin("root").await);
    let (draft, published) = (anna.draft("#mine").await, anna.publish("#mine").await);
    let (theirs, hidden) = (bert.publish("#theirs").await, bert.draft("#theirs").await);
    let gone = anna.draft("gone").await;
    anna.change("deletePhotos", &[&gone]).await;
    test.clock.advance(60);
    let (before, others) = (own(&anna).await, own(&bert).await);
    let user = anna.user_id().await;
    for foreign in [theirs.as_str(), &hidden, &gone, UNKNOWN, &user, "", "no"] {
        for verb in CHANGES {
            let reply = anna.try_change(verb, &[&draft, foreign, &published]).await;
            assert_refused(&reply, verb, &["NOT_FOUND input.photoIds.1"]);
            let error = &reply.data()[verb]["userErrors"][0];
            assert_eq!(error["field"], json!(["input", "photoIds", "1"]));
            assert_eq!(error["message"], "You have no such photo.", "the same for all of them");
        }
        let reply = anna.try_edit(&[(&draft, Some("new")), (foreign, Some("new")), (&published, None)]).await;
        assert_refused(&reply, "editPhotos", &["NOT_FOUND input.edits.1.photoId"]);
        assert_eq!((own(&anna).await, own(&bert).await), (before.clone(), others.clone()), "{foreign}");
    }
    // Every place is named, and an administrator owns no more than others.
    for verb in CHANGES {
        let reply = root.try_change(verb, &[&draft, &published]).await;
        assert_refused(&reply, verb, &["NOT_FOUND input.photoIds.0", "NOT_FOUND input.photoIds.1"]);
    }
    let reply = root.try_edit(&[(&published, Some("new"))]).await;
    assert_refused(&reply, "editPhotos", &["NOT_FOUND input.edits.0.photoId"]);
    assert_eq!(own(&anna).await, before);
}

#[tokio::test]
async fn one_bad_caption_and_nothing_is_edited() {
    let (test, anna) = TestApp::with_user().await;
    let (one, two) = (anna.draft("#one").await, anna.draft("#two").await);
    test.clock.advance(60);
    let before = own(&anna).await;
    let reply = anna.try_edit(&[(&one, Some("new")), (&two, Some(&"x".repeat(2001)))]).await;
    assert_refused(&reply, "editPhotos", &["TOO_LONG input.edits.1.caption"]);
    assert_eq!(own(&anna).await, before);
}

#[tokio::test]
async fn a_batch_has_from_one_to_a_hundred_photos() {
    let (_test, anna) = TestApp::with_user().await;
    let id = anna.draft("").await;
    let before = own(&anna).await;
    for (count, code) in [(0, "REQUIRED"), (101, "LIMIT_REACHED")] {
        let named = vec![id.as_str(); count];
        for verb in CHANGES {
            let reply = anna.try_change(verb, &named).await;
            assert_refused(&reply, verb, &[&format!("{code} input.photoIds")]);
            let message = reply.data()[verb]["userErrors"][0]["message"].as_str().expect("a message").to_owned();
            assert!(message.contains("100") && message.contains(&count.to_string()), "{message}");
        }
        let reply = anna.try_edit(&vec![(id.as_str(), None); count]).await;
        assert_refused(&reply, "editPhotos", &[&format!("{code} input.edits")]);
    }
    assert_refused(&anna.try_upload(&[], false).await, "uploadPhotos", &["REQUIRED input.photos"]);
    assert_eq!(own(&anna).await, before);
    // A hundred are not too many.
    let hundred = vec![UNKNOWN; 100];
    assert_eq!(anna.try_change("deletePhotos", &hundred).await.user_errors("deletePhotos").len(), 100);
}

#[tokio::test]
async fn a_photo_that_is_named_twice_is_changed_once_and_never_edited() {
    let (_test, anna) = TestApp::with_user().await;
    let (id, other) = (anna.draft("#one").await, anna.draft("").await);
    let used = anna.used_bytes().await;
    let before = own(&anna).await;
    let reply = anna.try_edit(&[(&id, Some("a")), (&other, Some("b")), (&id, Some("c"))]).await;
    assert_refused(&reply, "editPhotos", &["CONFLICT input.edits.2.photoId"]);
    assert_eq!(own(&anna).await, before);
    for verb in ["publishPhotos", "unpublishPhotos"] {
        assert_eq!(ids(&anna.change(verb, &[&id, &id]).await), [id.clone(), id.clone()], "{verb}");
    }
    assert_eq!(anna.change("deletePhotos", &[&id, &id]).await, json!([id, id]));
    assert_eq!(anna.used_bytes().await, used / 2, "it was counted once");
    assert_eq!(anna.own_photos("").await, [other]);
}
