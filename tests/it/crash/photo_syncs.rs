//! A photo is on disk before it is answered: its contents, their names, and the folders that have these. Syncs are
//! counted, and made to fail.

use serde_json::Value;

use super::pictures::{form, picture};
use super::sync_shim::{Place, Syncs};
use super::witness::{Witness, files_below};
use super::{Home, code};
use crate::support::Process;

async fn start() -> (Home, Syncs, Process, String) {
    let home = Home::new().await;
    let syncs = Syncs::compile(home.folder.path());
    let process = home.start_with(|command| syncs.preload(command));
    let anna = process.sign_up("anna").await;
    (home, syncs, process, anna)
}

/// Uploads this picture: true if it was acknowledged, or else the disk failed.
async fn upload(process: &Process, token: &str, number: u64) -> bool {
    let answer = process.upload(token, form(&[picture(number)], "synced", false)).await.expect("an answer");
    let acknowledged = answer.pointer("/data/uploadPhotos/photos/0/id").and_then(Value::as_str).is_some();
    if !acknowledged {
        // The sync of a commit leaves the outcome unknown; without one of a content, nothing was done.
        assert!(["UNAVAILABLE", "INTERNAL_SERVER_ERROR"].contains(&code(&answer).as_str()), "{answer}");
        assert!(!answer.to_string().contains("error 5"), "its cause is for the log: {answer}");
    }
    acknowledged
}

/// How many photos there are, by somebody else's account; all that the storage has is theirs.
async fn photos(home: &Home) -> usize {
    let witness = Witness::open(home, 26).await;
    let photos = witness.photos().await.len();
    witness.sweep().await;
    witness.check_swept().await;
    witness.close().await;
    photos
}

#[tokio::test]
async fn every_content_and_its_name_are_synced_before_the_answer() {
    let (home, syncs, process, anna) = start().await;
    let folder = home.folder.path().join("data/photos");
    for number in 0..10 {
        let (files, done) = (files_below(&folder).len(), syncs.done_below_photos());
        assert!(upload(&process, &anna, number).await);
        let (files, done) = (files_below(&folder).len() - files, syncs.done_below_photos() - done);
        assert!(files > 0 && done >= 2 * files, "{done} syncs for {files} files and their names");
    }
}

#[tokio::test]
async fn no_photo_is_acknowledged_whose_content_was_not_synced() {
    let (home, syncs, mut process, anna) = start().await;
    let mut acknowledged = 0;
    for nth in 1..=12 {
        syncs.fail_every_in(Place::BelowPhotos, nth);
        let heard = upload(&process, &anna, nth).await;
        assert!(!heard || nth > 1, "every sync failed");
        syncs.fail_every(0);
        assert!(upload(&process, &anna, 100 + nth).await, "by itself");
        acknowledged += 1 + usize::from(heard);
    }
    assert!(acknowledged < 20, "{acknowledged} of 24 were acknowledged: nothing failed");
    process.end_with("KILL");
    assert_eq!(photos(&home).await, acknowledged);
}

#[tokio::test]
async fn no_photo_is_acknowledged_whose_folder_was_not_synced() {
    let (home, syncs, mut process, anna) = start().await;
    syncs.fail_every_in(Place::Photos, 1);
    for attempt in 1..=3 {
        assert!(!upload(&process, &anna, 7).await, "attempt {attempt}: the folder's name may be lost");
    }
    syncs.fail_every(0);
    assert!(upload(&process, &anna, 7).await, "by itself");
    process.end_with("KILL");
    assert_eq!(photos(&home).await, 1);
}
