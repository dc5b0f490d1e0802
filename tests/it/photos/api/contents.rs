//! Contents: shared by who shows the same, kept as long as somebody does, and then removed.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::TimeDelta;
use cloakroom::photos::{blob, photo_image};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};

use crate::support::{Caller, TestApp, TestStorage, alter, picture, picture_of};

/// Asserts that every image's content is stored, byte for byte, and that nothing is stored without a row. How many
/// images there are.
pub(super) async fn assert_whole(test: &TestApp) -> usize {
    let reader = test.app.database.reader();
    let images = photo_image::Entity::find().all(reader).await.expect("images");
    let blobs = blob::Entity::find().all(reader).await.expect("contents");
    let contents = test.contents().await;
    for image in &images {
        let blob = blobs.iter().find(|blob| blob.id == image.blob_id).unwrap_or_else(|| panic!("{image:?} has no row"));
        let content = contents.read_whole(&blob.object_key, u64::MAX).await.expect("an answer");
        let content = content.unwrap_or_else(|| panic!("{blob:?} is not stored"));
        let hash: String = digest(&SHA256, &content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((blob.hash.as_ref(), blob.byte_size), (Some(&hash), content.len() as i64), "{blob:?}");
    }
    let known: BTreeSet<_> = blobs.iter().map(|blob| &blob.object_key).collect();
    for object in test.objects().await {
        assert!(known.contains(&object.key), "{} has no row", object.key);
    }
    images.len()
}

/// How many rows of contents there are, with those that the sweep has yet to look at again.
pub(super) async fn blob_rows(test: &TestApp) -> u64 {
    blob::Entity::find().count(test.app.database.reader()).await.expect("contents are counted")
}

pub(super) async fn sweep(test: &TestApp) {
    let swept = test.app.photos.sweep().await;
    assert!(swept.is_ok(), "{swept:?}");
}

#[tokio::test]
async fn the_same_picture_is_stored_once_and_kept_until_the_last_one_goes() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let file = picture_of((400, 300), [1, 2, 3]);
    let first = anna.drafts(&[&file]).await;
    let rows = test.rows().await;
    assert_eq!((rows.images, rows.blobs, test.objects().await.len()), (4, 4, 4));
    let (second, theirs) = (anna.drafts(&[&file, &file]).await, bert.drafts(&[&file]).await);
    let rows = test.rows().await;
    assert_eq!((rows.photos, rows.images, rows.blobs, test.objects().await.len()), (4, 16, 4, 4));

    anna.change("deletePhotos", &[&first[0], &second[1]]).await;
    sweep(&test).await;
    assert_eq!((assert_whole(&test).await, test.rows().await.blobs), (8, 4));
    anna.change("deletePhotos", &[&second[0]]).await;
    sweep(&test).await;
    assert_eq!((assert_whole(&test).await, test.rows().await.blobs), (4, 4));
    bert.change("deletePhotos", &[&theirs[0]]).await;
    assert_eq!(test.objects().await.len(), 4, "the sweep removes them");
    sweep(&test).await;
    assert_eq!((test.rows().await.blobs, test.objects().await.len()), (0, 0));
    // What was there once is stored anew.
    anna.drafts(&[&file]).await;
    assert_eq!((assert_whole(&test).await, test.objects().await.len(), blob_rows(&test).await), (4, 4, 8));
    // What an upload that came too late may have stored is removed with the row.
    test.clock.advance(3600);
    sweep(&test).await;
    assert_eq!((assert_whole(&test).await, test.objects().await.len(), blob_rows(&test).await), (4, 4, 4));
}

#[tokio::test]
async fn only_what_nobody_shows_is_swept() {
    let (test, anna) = TestApp::with_user().await;
    let (one, two) = (picture_of((400, 300), [1, 2, 3]), picture_of((400, 300), [3, 2, 1]));
    let photos = anna.drafts(&[&one, &two]).await;
    anna.change("deletePhotos", &[&photos[0]]).await;
    for _ in 0..2 {
        sweep(&test).await;
        assert_eq!((assert_whole(&test).await, test.rows().await.blobs, test.objects().await.len()), (4, 4, 4));
    }
    // An upload that comes between a deletion and the sweep has its contents.
    anna.change("deletePhotos", &[&photos[1]]).await;
    anna.drafts(&[&two]).await;
    sweep(&test).await;
    assert_eq!((assert_whole(&test).await, test.rows().await.blobs), (4, 4));
}

/// An upload that stores what is made of this file, and is refused at the last.
async fn fail(caller: &Caller, file: &[u8]) {
    let reply = caller.try_upload(&[(file, None), (b"<svg/>", None)], false).await;
    assert_eq!(reply.user_errors("uploadPhotos"), ["UNSUPPORTED_MEDIA input.photos.1.file"], "{}", reply.body);
}

/// What is there of an upload that is under way, or was killed: its contents have a term that nobody gives up.
async fn leave_contents(test: &TestApp, caller: &Caller, file: &[u8]) {
    fail(caller, file).await;
    set_terms(test, TimeDelta::hours(1)).await;
}

/// Has all terms end in so long.
pub(super) async fn set_terms(test: &TestApp, left: TimeDelta) {
    let ends = test.clock.now() + left;
    let renewed = test.app.database.write(move |transaction| {
        let renew = blob::Entity::update_many().col_expr(blob::Column::SweepAfter, Expr::value(ends));
        let renew = renew.filter(blob::Column::SweepAfter.is_not_null());
        Box::pin(async move { Ok(renew.clone().exec(transaction).await.map(drop)?) })
    });
    assert!(renewed.await.is_ok(), "they have a term");
}

#[tokio::test]
async fn contents_of_an_upload_that_failed_go_with_the_next_sweep() {
    let (test, anna) = TestApp::with_user().await;
    let (shown, other) = (picture_of((400, 300), [1, 2, 3]), picture_of((400, 300), [3, 2, 1]));
    fail(&anna, &shown).await;
    sweep(&test).await;
    assert_eq!((test.rows().await.blobs, test.objects().await.len()), (0, 0));
    // What photos show stays, and so does what comes to be shown before the sweep.
    anna.drafts(&[&shown]).await;
    fail(&anna, &shown).await;
    fail(&anna, &other).await;
    anna.drafts(&[&other]).await;
    sweep(&test).await;
    assert_eq!((assert_whole(&test).await, test.rows().await.blobs, test.objects().await.len()), (8, 8, 8));
    test.clock.advance(3600);
    sweep(&test).await;
    assert_eq!((assert_whole(&test).await, blob_rows(&test).await, test.objects().await.len()), (8, 8, 8));
}

#[tokio::test]
async fn contents_of_an_upload_that_is_under_way_or_was_killed_are_left_alone_for_an_hour() {
    let (test, anna) = TestApp::with_user().await;
    leave_contents(&test, &anna, &picture_of((400, 300), [1, 2, 3])).await;
    for seconds in [0, 1800, 1799] {
        test.clock.advance(seconds);
        sweep(&test).await;
        assert_eq!((test.rows().await.blobs, test.objects().await.len()), (4, 4), "its term has not ended");
    }
    test.clock.advance(1);
    sweep(&test).await;
    assert_eq!((test.rows().await.blobs, test.objects().await.len()), (0, 0));
}

#[tokio::test]
async fn a_term_that_ends_takes_nothing_from_whoever_shows_the_same() {
    let (test, anna) = TestApp::with_user().await;
    let file = picture_of((400, 300), [1, 2, 3]);
    // Shown before, and since.
    let before = anna.drafts(&[&file]).await;
    leave_contents(&test, &test.sign_up("carl").await, &file).await;
    test.clock.advance(3600);
    sweep(&test).await;
    assert_eq!(assert_whole(&test).await, 4);
    // Deleted while a term runs, they go when it ends.
    let anna = test.sign_in("anna").await;
    leave_contents(&test, &test.sign_in("carl").await, &file).await;
    anna.change("deletePhotos", &[&before[0]]).await;
    sweep(&test).await;
    assert_eq!(test.objects().await.len(), 4);
    anna.drafts(&[&file]).await;
    test.clock.advance(3600);
    sweep(&test).await;
    assert_eq!(assert_whole(&test).await, 4);
    let anna = test.sign_in("anna").await;
    let own = anna.own_photos("").await;
    anna.change("deletePhotos", &[&own[0]]).await;
    sweep(&test).await;
    assert_eq!((test.rows().await.blobs, test.objects().await.len()), (0, 0));
}

/// As after a crash between a content's removal and that of its row.
#[tokio::test]
async fn a_sweep_goes_on_where_another_was_cut_off() {
    let (test, anna) = TestApp::with_user().await;
    let file = picture_of((400, 300), [1, 2, 3]);
    let photos = anna.drafts(&[&file]).await;
    anna.change("deletePhotos", &[&photos[0]]).await;
    alter(&test, "UPDATE blobs SET hash = NULL").await;
    for object in test.objects().await.iter().take(2) {
        test.contents().await.delete(&object.key).await.expect("it is removed");
    }
    // What is condemned is no longer anybody's: the same picture is stored under other names.
    anna.drafts(&[&file]).await;
    assert_eq!((blob_rows(&test).await, test.objects().await.len()), (8, 6));
    sweep(&test).await;
    assert_eq!((assert_whole(&test).await, test.rows().await.blobs, test.objects().await.len()), (4, 4, 4));
}

#[tokio::test]
async fn a_content_that_cannot_be_removed_keeps_no_other_from_being_removed() {
    if TestStorage::is_s3() {
        return; // Nothing can be put in its way there.
    }
    let (test, anna) = TestApp::with_user().await;
    let photos = anna.drafts(&[&picture([1, 2, 3])]).await;
    anna.change("deletePhotos", &[&photos[0]]).await;
    for object in test.objects().await {
        let path = test.data_dir().join("photos").join(object.key);
        std::fs::remove_file(&path).expect("it is removed");
        std::fs::create_dir_all(path.join("in the way")).expect("a folder in its place");
    }
    let stuck = blob_rows(&test).await;
    test.clock.advance(1);
    let photos = anna.drafts(&[&picture_of((400, 300), [3, 2, 1])]).await;
    anna.change("deletePhotos", &[&photos[0]]).await;
    for later in [0, 3600] {
        test.clock.advance(later);
        assert!(test.app.photos.sweep().await.is_err(), "it says that something is wrong");
        assert_eq!(test.objects().await.len(), 0);
    }
    assert_eq!(blob_rows(&test).await, stuck);
    for folder in std::fs::read_dir(test.data_dir().join("photos")).expect("folders") {
        let path = folder.expect("an entry").path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).expect("it is removed");
        }
    }
    test.clock.advance(3600);
    sweep(&test).await;
    assert_eq!(blob_rows(&test).await, 0);
}

/// An upload of the same picture has found the content's row, and stores it when the sweep has been there.
#[tokio::test]
async fn what_is_stored_too_late_is_removed_as_well() {
    let (test, anna) = TestApp::with_user().await;
    let photos = anna.drafts(&[&picture([1, 2, 3])]).await;
    let (contents, mut stored) = (test.contents().await, Vec::new());
    for object in test.objects().await {
        let content = contents.read_whole(&object.key, u64::MAX).await.expect("an answer");
        stored.push((object.key, content.expect("it is there")));
    }
    anna.change("deletePhotos", &[&photos[0]]).await;
    sweep(&test).await;
    assert_eq!((test.objects().await.len(), blob_rows(&test).await), (0, stored.len() as u64));
    for (key, content) in &stored {
        contents.put(key, content.clone()).await.expect("it is kept");
    }
    assert_whole(&test).await;
    test.clock.advance(3600);
    sweep(&test).await;
    assert_eq!((test.objects().await.len(), blob_rows(&test).await), (0, 0));
}
