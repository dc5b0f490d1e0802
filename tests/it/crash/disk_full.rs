//! A full disk: `next` and uploads end in a clean error, reads go on, and with room again so does everything else.
//! SQLite only, because the others' disk is another machine's.

use std::path::PathBuf;

use cloakroom::photos::storage_use::photo_bytes;
use serde_json::Value;

use super::pictures::{form, noise, told_of};
use super::witness::files_below;
use super::{Home, code, current, next};
use crate::support::{
    PASSWORD, Process, Random, TestDatabase, disk_of, fill, fill_but, namespaces_are_allowed, start_on_a_small_disk,
};

/// The server, its data on a disk of so many MB.
fn start_on(home: &Home, megabytes: u32) -> Process {
    let data_dir = home.folder.path().join("data");
    let options = format!("size={megabytes}m");
    start_on_a_small_disk(&data_dir, &options, |adapt| home.start_with(adapt))
}

/// Its folder, from out here.
fn disk_of_home(home: &Home, process: &Process) -> PathBuf {
    disk_of(&home.folder.path().join("data"), process)
}

#[tokio::test]
async fn a_full_disk_ends_in_errors_and_is_recovered_from_without_a_restart() {
    // Where an unprivileged process may not mount, the disk cannot be made small.
    if !TestDatabase::is_sqlite() || !namespaces_are_allowed() {
        return;
    }
    let home = Home::new().await;
    let process = start_on(&home, 4);
    let anna = process.sign_up("anna").await;
    let mut last = next(&process, &anna).await.expect("an answer").expect("a number");

    let ballast = disk_of_home(&home, &process).join("ballast");
    for _ in 0..2 {
        fill(&ballast);
        let refusal = loop {
            match next(&process, &anna).await.expect("an answer") {
                Ok(number) => last = number,
                Err(code) => break code,
            }
            assert!(last < 10_000, "the disk is never full");
        };
        assert_eq!(refusal, "UNAVAILABLE");
        let sign_up = format!(
            r#"mutation {{ signUp(input: {{ username: "bob", password: "{PASSWORD}" }}) {{ userErrors {{ code }} }} }}"#
        );
        assert_eq!(code(&process.run(None, &sign_up).await.expect("an answer")), "UNAVAILABLE");
        assert_eq!(current(&process, &anna).await, last, "reads go on");

        std::fs::remove_file(&ballast).expect("room again");
        for _ in 0..5 {
            last += 1;
            assert_eq!(next(&process, &anna).await, Some(Ok(last)), "by itself, and without a gap");
        }
    }
}

#[tokio::test]
async fn a_server_on_a_full_disk_is_not_ready_and_ends() {
    if !TestDatabase::is_sqlite() || !namespaces_are_allowed() {
        return;
    }
    let home = Home::new().await;
    let mut process = start_on(&home, 4);
    let anna = process.sign_up("anna").await;
    fill(&disk_of_home(&home, &process).join("ballast"));
    while next(&process, &anna).await.expect("an answer").is_ok() {}
    let url = |path: &str| format!("http://{}/{path}", process.address);
    assert_eq!(process.status(&url("readyz")).await, 503, "nothing can be written");
    assert_eq!(process.status(&url("readyz/disk")).await, 503);
    assert_eq!(process.status(&url("readyz/storage")).await, 503);
    assert_eq!(process.status(&url("healthz")).await, 200);
    process.signal("TERM");
    assert_eq!(process.ended().await, 0);
}

#[tokio::test]
async fn an_upload_to_a_full_disk_ends_in_an_error_and_leaves_nothing_behind() {
    if !TestDatabase::is_sqlite() || !namespaces_are_allowed() {
        return;
    }
    let home = Home::new().await;
    let process = start_on(&home, 24);
    let (anna, mut random) = (process.sign_up("anna").await, Random::seeded());
    let disk = disk_of_home(&home, &process);
    let ballast = disk.join("ballast");
    let (mut refused, mut used) = (0, 0);
    // It is full before the file has arrived, when its sizes are stored, when the rows are added, or hardly.
    for free in [0, 16, 64, 110, 128, 160, 192, 224, 256, 288, 320, 352, 384, 448, 512] {
        fill_but(&ballast, free << 10);
        let file = noise(&mut random);
        let answer = process.upload(&anna, form(std::slice::from_ref(&file), "full", false)).await.expect("an answer");
        if let Some(photo) = answer.pointer("/data/uploadPhotos/photos/0").filter(|photo| photo.is_object()) {
            used += photo_bytes(told_of(photo).into_iter().map(|(_, bytes)| bytes));
        } else {
            assert_eq!(code(&answer), "UNAVAILABLE", "with {free} kB");
            assert!(!answer.to_string().to_lowercase().contains("space"), "its cause is for the log: {answer}");
            refused += 1;
        }
        assert_eq!(stored(&process, &anna).await, used, "with {free} kB");
        assert_eq!(files_below(&disk.join("uploads")).len(), 0, "what arrived is gone");
        let unfinished = files_below(&disk.join("photos")).into_iter().filter(|name| name.contains('#'));
        assert_eq!(unfinished.count(), 0, "nothing is half written");

        std::fs::remove_file(&ballast).expect("room again");
        let answer = process.upload(&anna, form(std::slice::from_ref(&file), "room", false)).await.expect("an answer");
        let id = answer.pointer("/data/uploadPhotos/photos/0/id").and_then(Value::as_str);
        let id = id.unwrap_or_else(|| panic!("by itself, not {answer}"));
        let delete = format!(r#"mutation {{ deletePhotos(input: {{ photoIds: ["{id}"] }}) {{ deletedPhotoIds }} }}"#);
        process.run(Some(&anna), &delete).await.expect("an answer");
    }
    assert!((5..15).contains(&refused), "{refused} were refused");
}

async fn stored(process: &Process, token: &str) -> i64 {
    let answer = process.run(Some(token), "{ viewer { storage { usedBytes } } }").await.expect("an answer");
    let used = answer.pointer("/data/viewer/storage/usedBytes").and_then(Value::as_i64);
    used.unwrap_or_else(|| panic!("a figure, not {answer}"))
}
