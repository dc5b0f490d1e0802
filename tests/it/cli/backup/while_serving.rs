//! A backup is consistent, whatever is written meanwhile: what was acknowledged before it began is in it.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::super::photos;
use super::{Place, back_up, picture, restore, restored, serve, there, upload};
use crate::support::{Process, TestDatabase};

const NEXT: &str = "mutation { next { value } }";

async fn next(server: &Process, token: &str) -> i64 {
    let answer = server.run(Some(token), NEXT).await.expect("an answer");
    answer["data"]["next"]["value"].as_i64().unwrap_or_else(|| panic!("a number in {answer}"))
}

async fn delete(server: &Process, token: &str, photo: &str) {
    let delete = format!(r#"mutation {{ deletePhotos(input: {{ photoIds: ["{photo}"] }}) {{ deletedPhotoIds }} }}"#);
    let answer = server.run(Some(token), &delete).await.expect("an answer");
    assert_eq!(answer["data"]["deletePhotos"]["deletedPhotoIds"][0], photo, "{answer}");
}

/// Signs people up, takes numbers, uploads and deletes, until it is to stop. The longest that a number took.
async fn write(server: &Process, token: &str, rounds: &AtomicU32, stop: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::SeqCst) {
        let round = rounds.fetch_add(1, Ordering::SeqCst);
        let photo = upload(server, token, &picture(1000 + round)).await.expect("an answer");
        let before = Instant::now();
        next(server, token).await;
        longest = longest.max(before.elapsed());
        server.sign_up(&format!("bob{round}")).await;
        delete(server, token, &photo).await;
    }
    longest
}

/// Backs up and restores, and looks whether all of it is there, and whole: the last number and these photos.
async fn round_trip(place: &Place, token: &str, last: i64, kept: &[String]) {
    drop(fs::remove_dir_all(place.data.path().join("backup")));
    drop(fs::remove_dir_all(restored(place)));
    let mut backup = place.command(&["backup", &place.data.path().join("backup").to_string_lossy()]);
    tokio::task::spawn_blocking(move || super::run(&mut backup)).await.expect("it ends").output();
    restore(place).output();
    let said = there(place, &["photos", "check", "--content"]).output();
    assert!(said.starts_with("CHECKED"), "{said}");
    let server = Process::start(&restored(place), |command| {
        command.env_clear();
    });
    assert!(next(&server, token).await > last);
    let answer = server.run(Some(token), "{ viewer { photos(first: 100) { nodes { id } } } }").await;
    let answer = answer.expect("an answer").to_string();
    assert!(kept.iter().all(|id| answer.contains(id)), "{answer}");
}

#[expect(clippy::print_stderr, reason = "figures for whoever runs it with --nocapture")]
#[tokio::test]
async fn what_was_acknowledged_before_a_backup_is_in_it_and_what_is_in_it_is_whole() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = Place::create().await;
    let server = serve(&place);
    let token = server.sign_up("anna").await;
    let mut kept = Vec::new();
    for number in 1..=6 {
        kept.push(upload(&server, &token, &picture(number)).await.expect("an answer"));
    }
    let (rounds, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let backups = async {
        let mut backups = 0;
        while backups < 4 || rounds.load(Ordering::SeqCst) < 12 {
            let last = next(&server, &token).await;
            round_trip(&place, &token, last, &kept).await;
            backups += 1;
        }
        stop.store(true, Ordering::SeqCst);
        backups
    };
    let (longest, backups) = tokio::join!(write(&server, &token, &rounds, &stop), backups);
    eprintln!("{backups} backups in {rounds:?} rounds, the longest number {longest:?}");
}

#[tokio::test]
async fn a_backup_that_was_killed_is_none() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = super::with(3).await;
    let target = place.data.path().join("backup");
    for wait in [0, 10, 20, 40] {
        let mut child = place.command(&["backup", &target.to_string_lossy()]).spawn().expect("it starts");
        let mut pace = tokio::time::interval(Duration::from_millis(wait.max(1)));
        pace.tick().await;
        pace.tick().await;
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        if !target.join("manifest.jsonl").exists() {
            let said = restore(&place).complaint();
            assert!(said.contains("manifest") || said.contains("No such file"), "{said}");
            assert!(!restored(&place).exists());
        }
        drop(fs::remove_dir_all(&target));
    }
    back_up(&place).output();
    restore(&place).output();
}

#[tokio::test]
async fn a_restore_that_was_killed_starts_no_server_until_the_folder_is_emptied() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = super::with(3).await;
    back_up(&place).output();
    for wait in [5, 20, 40, 80] {
        let mut command = super::cloakroom(&["restore"]);
        command.arg(place.data.path().join("backup")).arg("--data-dir").arg(restored(&place));
        let mut child = command.spawn().expect("it starts");
        let mut pace = tokio::time::interval(Duration::from_millis(wait));
        pace.tick().await;
        pace.tick().await;
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        if restored(&place).join("restoring").exists() {
            let said = there(&place, &["--listen", "127.0.0.1:0"]).complaint();
            assert!(said.contains("has not ended"), "{said}");
            assert!(restore(&place).complaint().contains("did not end: empty it"));
        } else if restored(&place).join("cloakroom.db").exists() {
            there(&place, &["photos", "check", "--content"]).output();
        }
        drop(fs::remove_dir_all(restored(&place)));
    }
    restore(&place).output();
    there(&place, &["photos", "check", "--content"]).output();
}

#[tokio::test]
async fn contents_that_were_deleted_are_not_in_a_backup() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = Place::create().await;
    let server = serve(&place);
    let token = server.sign_up("anna").await;
    upload(&server, &token, &picture(1)).await.expect("an answer");
    let gone = upload(&server, &token, &picture(2)).await.expect("an answer");
    delete(&server, &token, &gone).await;
    let said = back_up(&place).output();
    assert!(said.contains(": 7 files, "), "{said}");
    restore(&place).output();
    photos::photos(&place, &["check"]).output();
    there(&place, &["photos", "check", "--content"]).output();
}
