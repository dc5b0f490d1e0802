//! What is over is removed: contents that nobody holds, whoever looks at them at the time, and what crashes left.

use std::fs::{self, File};
use std::time::SystemTime;

use cloakroom::caller::Caller as Asking;
use cloakroom::photos::blob;
use cloakroom::store::Backend;
use futures_util::StreamExt as _;
use sea_orm::{ConnectionTrait as _, EntityTrait as _, Statement};
use serde_json::json;

use super::corpus::{paint, png};
use crate::support::{Caller, Form, Hold, PATIENCE, TestApp, TestDatabase, TestStorage, alter, picture_of};

/// Uploads this number of photos of the same picture, and returns their ids.
async fn upload_same(user: &Caller, count: usize) -> Vec<String> {
    let query = "mutation($input: UploadPhotosInput!) { uploadPhotos(input: $input) { photos { id } } }";
    let variables = json!({ "input": { "photos": vec![json!({ "file": null }); count] } });
    let picture = png::painted(40, 30, png::RGB, &paint::rgb(40, 30), &[]);
    let places: Vec<String> = (0..count).map(|at| format!("variables.input.photos.{at}.file")).collect();
    let files: Vec<(&str, &[u8])> = places.iter().map(|place| (place.as_str(), picture.as_slice())).collect();
    let reply = user.upload(Form::of(query, &variables, &files)).await;
    let photos = reply.at("/data/uploadPhotos/photos");
    photos.as_array().expect("photos").iter().map(|photo| photo["id"].as_str().expect("an id").to_owned()).collect()
}

async fn delete(user: &Caller, id: &str) {
    let delete = format!(r#"mutation {{ deletePhotos(input: {{ photoIds: ["{id}"] }}) {{ deletedPhotoIds }} }}"#);
    assert_eq!(user.run(&delete).await.at("/data/deletePhotos/deletedPhotoIds/0"), id);
}

/// Once for what nobody holds, and once, when its term is over, for the rows of it.
async fn sweep(test: &TestApp) {
    for _ in 0..2 {
        test.app.photos.sweep().await.unwrap_or_else(|error| panic!("{error:?}"));
        test.clock.advance(2 * 3600);
    }
}

async fn contents(test: &TestApp) -> Vec<blob::Model> {
    blob::Entity::find().all(test.app.database.reader()).await.expect("contents")
}

/// How many transactions wait for a lock.
async fn waiting(test: &TestApp) -> i64 {
    let sql = match test.app.database.backend() {
        Backend::Mysql => {
            // Other tests' as well; what it says of this database alone, it says with delay.
            "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status \
             WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'"
        }
        _ => {
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
    };
    let reader = test.app.database.reader();
    let rows = reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await.expect(sql);
    rows[0].try_get_by_index(0).expect("a count")
}

/// Waits until so many do, or something else is so.
async fn until_waiting(test: &TestApp, count: i64, or: impl Fn() -> bool) {
    let reached = async {
        while !or() && waiting(test).await < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("they wait");
}

#[tokio::test]
async fn a_content_goes_with_the_last_photo_that_shows_it() {
    let (test, anna) = TestApp::with_user().await;
    let photos = upload_same(&anna, 2).await;
    let stored = contents(&test).await.len();
    delete(&anna, &photos[0]).await;
    sweep(&test).await;
    let anna = test.sign_in("anna").await;
    let left = contents(&test).await;
    assert_eq!(left.len(), stored);
    assert!(left.iter().all(|content| content.hash.is_some() && content.sweep_after.is_none()), "{left:?}");
    delete(&anna, &photos[1]).await;
    sweep(&test).await;
    assert_eq!(contents(&test).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_content_whose_last_photo_goes_while_the_sweep_looks_at_it_is_not_forgotten() {
    // Only where transactions meet.
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, anna) = TestApp::with_user().await;
    let photos = upload_same(&anna, 2).await;
    delete(&anna, &photos[0]).await;
    let hold = Hold::of(&test, "SELECT id FROM blobs FOR UPDATE").await;
    let app = std::sync::Arc::clone(&test.app);
    let sweeping = tokio::spawn(async move { app.photos.sweep().await.is_ok() });
    until_waiting(&test, 1, || false).await;
    let last = photos[1].clone();
    let deleting = tokio::spawn(async move { delete(&anna, &last).await });
    until_waiting(&test, 2, || deleting.is_finished()).await;
    hold.release().await;
    assert!(sweeping.await.expect("the sweep ends"));
    deleting.await.expect("it is deleted");

    sweep(&test).await;
    assert_eq!(contents(&test).await, []);
}

/// The sweep finds the photo while it gets new contents: those are released with it, and not those it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_photo_that_is_made_anew_leaves_no_contents_behind() {
    // Only where transactions meet.
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, anna) = TestApp::with_user().await;
    anna.drafts(&[&picture_of((400, 300), [1, 2, 3])]).await;
    // Whoever makes it anew stores other contents, as after a change of sizes.
    alter(&test, "UPDATE blobs SET hash = NULL WHERE id NOT IN (SELECT blob_id FROM photo_images WHERE size = 3)")
        .await;
    alter(&test, "UPDATE photos SET user_id = NULL").await;
    let hold = Hold::of(&test, "SELECT id FROM photos FOR UPDATE").await;
    let app = std::sync::Arc::clone(&test.app);
    let rebuilding = tokio::spawn(async move {
        let operator = Asking::operator();
        let Ok(rebuilt) = app.photos.rebuild(&operator, None) else { panic!("it is made anew") };
        rebuilt.map(|outcome| outcome.is_ok_and(|(_, outcome)| outcome.is_ok())).collect::<Vec<bool>>().await
    });
    until_waiting(&test, 1, || rebuilding.is_finished()).await;
    let app = std::sync::Arc::clone(&test.app);
    let sweeping = tokio::spawn(async move { app.photos.sweep().await.is_ok() });
    until_waiting(&test, 2, || sweeping.is_finished()).await;
    hold.release().await;
    assert_eq!(rebuilding.await.expect("it ends"), [true]);
    assert!(sweeping.await.expect("the sweep ends"));
    test.clock.advance(2 * 3600);
    sweep(&test).await;
    assert_eq!((test.rows().await.photos, contents(&test).await), (0, Vec::new()));
}

#[tokio::test]
async fn what_was_half_written_when_a_server_was_killed_is_removed() {
    if TestStorage::is_s3() {
        return; // It has whole objects only.
    }
    let (test, anna) = TestApp::with_user().await;
    upload_same(&anna, 1).await;
    let content = contents(&test).await.remove(0);
    let place = test.data_dir().join("photos").join(&content.object_key);
    let now = SystemTime::from(test.clock.now());
    let half_written = |number: u32, minutes: u64| {
        let path = place.with_file_name(format!("{}#{number}", place.file_name().expect("a name").display()));
        let file = File::create(&path).expect("a file");
        file.set_modified(now - std::time::Duration::from_secs(minutes * 60)).expect("its time is set");
        path
    };
    let (old, young) = (half_written(1, 61), half_written(2, 59));
    // However old it is.
    let days = std::time::Duration::from_secs(9 * 24 * 3600);
    File::open(&place).and_then(|content| content.set_modified(now - days)).expect("its time is set");
    test.app.photos.sweep_unfinished().await.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(!old.exists() && young.exists() && place.exists());
    fs::remove_file(young).expect("it is there");
}
