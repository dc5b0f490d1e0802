//! The quarantine of the storage that this run of the tests has: files, or objects in S3.

use bytes::Bytes;
use cloakroom::caller::Caller as Asking;
use cloakroom::photos::check::{Fault, Finding, Options, Outcome, Tally};
use cloakroom::photos::{blob, photo_image};
use cloakroom::storage::{Blobs, quarantined};
use sea_orm::EntityTrait as _;

use crate::support::{TestApp, alter, picture};

/// Repairs, and returns what was found.
async fn repair(test: &TestApp) -> (Tally, Vec<(Finding, Outcome)>) {
    let mut found = Vec::new();
    let tell = |finding: &Finding, outcome: &Outcome| found.push((finding.clone(), outcome.clone()));
    let options = Options { repair: true, content: true };
    let tally = test.app.photos.check(&Asking::operator(), options, tell).await;
    (tally.unwrap_or_else(|error| panic!("{error:?}")), found)
}

fn stray(number: u32) -> String {
    format!("aa/{}-{number:08x}", "a".repeat(64))
}

async fn has(contents: &Blobs, key: &str) -> bool {
    contents.exists(key).await.unwrap_or_else(|error| panic!("{error:?}"))
}

#[tokio::test]
async fn an_object_without_a_row_goes_to_quarantine_and_from_there_when_an_operator_says_so() {
    let (test, anna) = TestApp::with_user().await;
    anna.drafts(&[&picture([1, 2, 3])]).await;
    let (contents, key) = (test.contents().await, stray(1));
    contents.put(&key, Bytes::from_static(b"left")).await.expect("it is stored");
    // The storage has the time of this machine, which is later than the test's.
    test.clock.correct(365 * 86_400);
    let objects = test.objects().await.len();
    let (tally, found) = repair(&test).await;
    assert_eq!(found, [(Finding::Stray { key: key.clone(), bytes: 4 }, Outcome::Repaired)]);
    assert_eq!((tally.left(), tally.quarantined.objects, tally.quarantined.bytes), (0, 1, 4));
    assert!(!has(&contents, &key).await && has(&contents, &quarantined(&key)).await);
    assert_eq!(test.objects().await.len(), objects - 1, "it is no photo any more");

    let operator = Asking::operator();
    let strays = test.app.photos.count_strays(&operator).await.expect("they are counted");
    assert_eq!((strays.quarantined.objects, strays.survey.strays.objects), (1, 0));
    let deleted = test.app.photos.delete_strays(&operator, &strays).await.expect("they are deleted");
    assert_eq!((deleted.objects, deleted.bytes), (1, 4));
    assert!(!has(&contents, &quarantined(&key)).await);
    assert_eq!(repair(&test).await.1, []);
}

#[tokio::test]
async fn a_content_in_quarantine_comes_back_when_a_row_names_it() {
    let (test, anna) = TestApp::with_user().await;
    let ids = anna.drafts(&[&picture([1, 2, 3])]).await;
    let (contents, rows) = (test.contents().await, blob::Entity::find().all(test.app.database.reader()).await);
    let keys: Vec<String> = rows.expect("rows").into_iter().map(|row| row.object_key).collect();
    for key in &keys {
        assert!(contents.quarantine(key).await.expect("it is moved"));
    }
    let strays = test.app.photos.count_strays(&Asking::operator()).await.expect("they are counted");
    assert_eq!((strays.quarantined.objects, strays.named), (0, keys.len() as u64));
    let (tally, found) = repair(&test).await;
    assert_eq!((tally.left(), tally.quarantined.objects), (0, 0));
    assert!(found.iter().all(|(finding, outcome)| {
        matches!(finding, Finding::Image { photo, fault: Fault::Missing, .. } if photo.to_string() == ids[0])
            && *outcome == Outcome::Repaired
    }));
    for key in &keys {
        assert!(has(&contents, key).await && !has(&contents, &quarantined(key)).await);
    }
    assert_eq!(repair(&test).await.1, []);
}

#[tokio::test]
async fn damage_that_no_original_can_repair_is_left_with_its_photo_and_size() {
    let (test, anna) = TestApp::with_user().await;
    anna.drafts(&[&picture([1, 2, 3])]).await;
    alter(&test, "DELETE FROM photo_images WHERE size IN (0, 3)").await;
    let (tally, found) = repair(&test).await;
    let left = found.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Left(_))).count();
    assert_eq!((tally.left(), left), (2, 2), "{found:?}");
    assert_eq!(photo_image::Entity::find().all(test.app.database.reader()).await.expect("rows").len(), 2);
}
