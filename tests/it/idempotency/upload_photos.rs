//! `uploadPhotos` under an idempotency key: nothing is stored twice, and the quota is counted once.

use cloakroom::photos::storage_use;
use serde_json::json;

use super::{UPLOAD_PHOTOS, all, payload, upload};
use crate::support::{Form, TestApp, ids, ids_in, picture, picture_no};

#[tokio::test]
async fn a_retry_returns_the_same_photos_and_stores_nothing() {
    let (mut test, user) = TestApp::with_user().await;
    let files = [picture_no(1), picture_no(2)];
    let photos: [(&[u8], Option<&str>); 2] = [(&files[0], Some("One #tag")), (&files[1], None)];
    let (first, replayed) = payload(&upload(&user, &photos, true, Some("k")).await, "uploadPhotos");
    assert!(!replayed);
    let (rows, used) = (test.rows().await, user.used_bytes().await);
    for restarted in [false, true] {
        if restarted {
            test.restart().await;
        }
        let user = test.bearer(user.token.as_deref());
        assert_eq!(payload(&upload(&user, &photos, true, Some("k")).await, "uploadPhotos"), (first.clone(), true));
        assert_eq!((test.rows().await, user.used_bytes().await), (rows, used));
    }
    // Without a key, and with another one, the photos are new.
    for key in [None, Some("other")] {
        let user = test.bearer(user.token.as_deref());
        let (other, replayed) = payload(&upload(&user, &photos, true, key).await, "uploadPhotos");
        assert!(!replayed && ids(&other["photos"]) != ids(&first["photos"]));
    }
}

#[tokio::test]
async fn the_header_does_the_same() {
    let (test, user) = TestApp::with_user().await;
    let user = user.with_header("idempotency-key", "k");
    let file = picture([1, 2, 3]);
    let first = ids_in(&upload(&user, &[(&file, None)], false, None).await, "uploadPhotos");
    assert_eq!(ids_in(&upload(&user, &[(&file, None)], false, None).await, "uploadPhotos"), first);
    assert_eq!(test.rows().await.photos, 1);
}

#[tokio::test]
async fn another_request_with_the_same_key_is_a_conflict() {
    let (test, user) = TestApp::with_user().await;
    let (file, other) = (picture_no(1), picture_no(2));
    upload(&user, &[(&file, Some("caption"))], false, Some("k")).await.data();
    let rows = test.rows().await;
    for (photos, publish) in [
        (vec![(&other[..], Some("caption"))], false),
        (vec![(&file[..], Some("another"))], false),
        (vec![(&file[..], None)], false),
        (vec![(&file[..], Some("caption"))], true),
        (vec![(&file[..], Some("caption")), (&file[..], Some("caption"))], false),
    ] {
        assert_eq!(upload(&user, &photos, publish, Some("k")).await.code(), "CONFLICT", "{}", photos.len());
    }
    assert_eq!(test.rows().await, rows);
    // A caption is trimmed before it is stored, and before it is compared.
    assert!(payload(&upload(&user, &[(&file, Some(" caption "))], false, Some("k")).await, "uploadPhotos").1);
}

/// Two captions that swap their ends, and files that swap their captions, are other requests.
#[tokio::test]
async fn what_is_joined_is_not_confused() {
    let (_test, user) = TestApp::with_user().await;
    let files = [picture_no(1), picture_no(2)];
    let first: [(&[u8], Option<&str>); 2] = [(&files[0], Some("ab")), (&files[1], Some("c"))];
    upload(&user, &first, false, Some("k")).await.data();
    for other in [
        [(&files[0][..], Some("a")), (&files[1][..], Some("bc"))],
        [(&files[0][..], Some("c")), (&files[1][..], Some("ab"))],
        [(&files[1][..], Some("c")), (&files[0][..], Some("ab"))],
        [(&files[0][..], Some("abc")), (&files[1][..], None)],
    ] {
        assert_eq!(upload(&user, &other, false, Some("k")).await.code(), "CONFLICT", "{:?}", other.map(|(_, c)| c));
    }
}

#[tokio::test]
async fn a_refused_request_does_not_use_the_key_up_and_a_replay_needs_no_room() {
    let file = picture([1, 2, 3]);
    let quota = storage_use::MIN_PHOTO_BYTES.unsigned_abs();
    let test = TestApp::with_config(|config| config.photos.quota_bytes = quota).await;
    let user = test.sign_up("anna").await;
    let broken = upload(&user, &[(b"no picture", None)], false, Some("k")).await;
    assert_eq!(broken.user_errors("uploadPhotos").len(), 1);
    let two = upload(&user, &[(&file, None), (&file, None)], false, Some("k")).await;
    assert_eq!(two.user_errors("uploadPhotos"), ["LIMIT_REACHED input.photos"]);
    let (first, replayed) = payload(&upload(&user, &[(&file, None)], false, Some("k")).await, "uploadPhotos");
    assert!(!replayed);
    // The quota is used up now.
    assert_eq!(payload(&upload(&user, &[(&file, None)], false, Some("k")).await, "uploadPhotos"), (first, true));
    assert_eq!(test.rows().await.photos, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_requests_with_one_key_one_stores_the_photos_and_all_get_them() {
    let (test, user) = TestApp::with_user().await;
    let call = |_| {
        let user = user.clone();
        async move {
            let files = [picture_no(1), picture_no(2)];
            let photos: [(&[u8], Option<&str>); 2] = [(&files[0], None), (&files[1], Some("#b"))];
            payload(&upload(&user, &photos, true, Some("k")).await, "uploadPhotos")
        }
    };
    let heard = all((0..6).map(call)).await;
    assert!(heard.iter().all(|(photos, _)| *photos == heard[0].0), "{heard:?}");
    assert_eq!(heard.iter().filter(|(_, replayed)| !replayed).count(), 1);
    let rows = test.rows().await;
    assert_eq!((rows.photos, rows.images, rows.tags), (2, 8, 1));
    assert_eq!(user.used_bytes().await, 2 * storage_use::MIN_PHOTO_BYTES);
}

#[tokio::test]
async fn photos_that_were_deleted_since_are_not_stored_again() {
    let (test, user) = TestApp::with_user().await;
    let file = picture([1, 2, 3]);
    let photos: [(&[u8], Option<&str>); 2] = [(&file, Some("#one")), (&file, Some("#two"))];
    let first = ids_in(&upload(&user, &photos, true, Some("k")).await, "uploadPhotos");
    user.change("deletePhotos", &[&first[0]]).await;
    let again = upload(&user, &photos, true, Some("k")).await;
    assert_eq!(ids_in(&again, "uploadPhotos"), first);
    assert_eq!((test.rows().await.photos, test.rows().await.tags), (1, 1));
}

/// A photo that was edited since is shown as it is.
#[tokio::test]
async fn a_replay_shows_photos_as_they_are_now() {
    let (_test, user) = TestApp::with_user().await;
    let file = picture([1, 2, 3]);
    let first = ids_in(&upload(&user, &[(&file, Some("before"))], false, Some("k")).await, "uploadPhotos");
    user.edit(&[(&first[0], Some("after"))]).await;
    user.change("publishPhotos", &[&first[0]]).await;
    let (again, _) = payload(&upload(&user, &[(&file, Some("before"))], false, Some("k")).await, "uploadPhotos");
    assert_eq!((&again["photos"][0]["caption"], &again["photos"][0]["state"]), (&json!("after"), &json!("PUBLISHED")));
    assert!(UPLOAD_PHOTOS.contains("replayed"));
    let image = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) { photos { image { url } } } }";
    let input = json!({ "input": { "photos": [{ "file": null, "caption": "before" }], "idempotencyKey": "k" } });
    let reply = user.upload(Form::of(image, &input, &[("variables.input.photos.0.file", &file)])).await;
    let url = reply.data()["uploadPhotos"]["photos"][0]["image"]["url"].as_str().expect("a URL").to_owned();
    let path = url.find("/photos/").map(|at| &url[at..]).unwrap_or_else(|| panic!("a path in {url}"));
    assert_eq!(user.get(path).await.status.as_u16(), 200, "{url}");
}
