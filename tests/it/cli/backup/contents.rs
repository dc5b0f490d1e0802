//! A backup says what it contains, and a restore which integers will be given again.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::photos::serve;
use super::super::storage::MARKER;
use super::{Place, back_up, cloakroom, restore, restored, run, there, with};
use crate::support::{Process, TestDatabase};

async fn take(server: &Process, token: &str, count: u32) -> i64 {
    let query = format!("mutation {{ next(input: {{ count: {count} }}) {{ last }} }}");
    let answer = server.run(Some(token), &query).await.expect("an answer");
    answer["data"]["next"]["last"].as_i64().unwrap_or_else(|| panic!("a number in {answer}"))
}

fn serve_restored(place: &Place) -> Process {
    Process::start(&restored(place), |command| {
        command.env_clear();
    })
}

/// A manifest of an older version: without the line with the contents.
fn make_older(manifest: &Path) {
    let before = fs::read_to_string(manifest).expect("a manifest");
    let lines: Vec<&str> = before.lines().filter(|line| !line.starts_with("{\"contents\"")).collect();
    assert_eq!(lines.len() + 1, before.lines().count(), "{before}");
    let (end, lines) = lines.split_last().expect("lines");
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut end: Value = serde_json::from_str(end).expect("JSON");
    end["sha256"] = digest.into();
    fs::write(manifest, format!("{body}{end}\n")).expect("it is written");
}

#[tokio::test]
async fn a_backup_states_what_it_contains_and_so_does_its_restore() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = with(2).await;
    let backup = place.data.path().join("backup");
    let told: Value =
        serde_json::from_str(&place.run(&["backup", &backup.to_string_lossy(), "--json"]).output()).expect("JSON");
    let contents = &told["contents"];
    let counts = ["users", "counters", "photos", "photoFiles", "keyFiles"].map(|name| contents[name].as_u64());
    assert_eq!(counts, [Some(1), Some(1), Some(2), Some(8), Some(2)], "{told}");
    assert!(contents["photoBytes"].as_u64() > Some(1000) && contents["migration"].is_string(), "{told}");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    let manifest = fs::read_to_string(backup.join("manifest.jsonl")).expect("a manifest");
    assert!(manifest.contains(&format!("{{\"contents\":{contents}}}")), "{manifest}");
    let said = restore(&place).output();
    for part in ["users: 1, counters: 1, photos: 2 (8 files, ", "key files: 2", "given again", "counters advance --all"]
    {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[tokio::test]
async fn a_backup_of_an_older_version_is_restored_and_counted() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = with(1).await;
    // Before storages had an identity.
    let is_applied = |line: &str| line.starts_with("applied") && line.contains("_storage_identity");
    while place.run(&["migrate", "status"]).output().lines().any(is_applied) {
        place.run(&["migrate", "down"]).output();
    }
    fs::remove_file(place.data.path().join("data/photos").join(MARKER)).expect("it is forgotten");
    back_up(&place).output();
    make_older(&place.data.path().join("backup/manifest.jsonl"));
    let said = restore(&place).output();
    assert!(said.contains("users: 1, counters: 1, photos: 1 (4 files, ") && said.contains("key files: 2"), "{said}");
    there(&place, &["photos", "check", "--content"]).output();
}

/// `reports.md` F17: 1 to 7 were taken, and the backup was taken at 5.
#[tokio::test]
async fn integers_that_were_taken_after_the_backup_can_be_skipped() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = Place::create().await;
    let server = serve(&place);
    let token = server.sign_up("anna").await;
    let few = r#"mutation { createCounter(input: { name: "few", max: 3 }) { counter { id } } }"#;
    server.run(Some(&token), few).await.expect("an answer");
    take(&server, &token, 5).await;
    back_up(&place).output();
    assert_eq!(take(&server, &token, 2).await, 7);
    drop(server);

    let said = restore(&place).output();
    assert!(said.contains("anna  default  5 ") && said.contains("will be given again"), "{said}");
    assert_eq!(take(&serve_restored(&place), &token, 1).await, 6, "given again");
    fs::remove_dir_all(restored(&place)).expect("it goes");

    let backup = place.data.path().join("backup");
    let mut command = cloakroom(&["restore", "--advance", "10", "--json"]);
    let said = run(command.arg(&backup).arg("--data-dir").arg(restored(&place))).output();
    let told: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&told["advancedBy"], &told["stoppedAtMax"]), (&json!(10), &json!(1)), "{told}");
    let latest = told["latestCounters"].as_array().expect("counters");
    assert!(latest.iter().any(|counter| counter["counter"] == "default" && counter["current"] == 5), "{told}");
    let server = serve_restored(&place);
    assert_eq!(take(&server, &token, 1).await, 16);
    let answer = server.run(Some(&token), r#"{ current(counter: "few") }"#).await.expect("an answer");
    assert_eq!(answer["data"]["current"], 3, "{answer}");
    let events = "{ viewer { events(first: 3) { nodes { kind } } } }";
    let answer = server.run(Some(&token), events).await.expect("an answer");
    assert!(answer.to_string().contains("COUNTER_ADVANCED"), "{answer}");
    drop(server);
    for steps in ["0", "-1", "9007199254740993"] {
        fs::remove_dir_all(restored(&place)).ok();
        let mut command = cloakroom(&["restore", "--advance", steps]);
        let said = run(command.arg(&backup).arg("--data-dir").arg(restored(&place))).complaint();
        assert!(said.contains("must be from 1 to"), "{said}");
    }
}

/// A restored copy may be used beside the original: neither may use the photos of the other.
#[tokio::test]
async fn a_restored_copy_is_an_installation_of_its_own() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = with(1).await;
    back_up(&place).output();
    restore(&place).output();
    let (original, copy) = (place.data.path().join("data/photos"), restored(&place).join("photos"));
    fs::rename(&copy, place.data.path().join("away")).expect("it is moved");
    std::os::unix::fs::symlink(&original, &copy).expect("a link");
    let said = there(&place, &["photos", "check", "--repair"]).complaint();
    assert!(said.contains("belongs to another database"), "{said}");
    fs::remove_file(&copy).expect("it goes");
    fs::rename(place.data.path().join("away"), &copy).expect("it is moved back");
    there(&place, &["photos", "check", "--content"]).output();
    place.run(&["photos", "check", "--content"]).output();
}

/// Entries of the file system do not make the root of a volume "not empty".
#[tokio::test]
async fn empty_volumes_are_empty() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = with(1).await;
    let (backup, target) = (place.data.path().join("backup"), restored(&place));
    let names = ["lost+found", ".snapshot", ".zfs"];
    let volume = |folder: &Path| {
        names.iter().for_each(|name| fs::create_dir_all(folder.join(name)).expect("a folder"));
        fs::write(folder.join(".nfs0000000000c0ffee00000001"), "open elsewhere").expect("it is written");
    };
    volume(&backup);
    volume(&backup.join("photos"));
    // Its snapshots are not ours to read: a copy of another backup may be in there.
    fs::write(backup.join(".snapshot/manifest.jsonl"), "another").expect("it is written");
    back_up(&place).output();
    volume(&target);
    // Volumes of their own, for the photos and the keys.
    volume(&target.join("photos"));
    volume(&target.join("keys"));
    restore(&place).output();
    there(&place, &["photos", "check", "--content"]).output();
    let mut server = serve_restored(&place);
    assert_eq!(server.end_with("TERM").code(), Some(0));
    for folder in [&target, &target.join("photos"), &target.join("keys")] {
        assert!(names.iter().all(|name| folder.join(name).exists()), "{}", folder.display());
        assert!(!folder.join("restoring").exists(), "{}", folder.display());
    }
    // Entries of a person do.
    let mine = place.data.path().join("mine");
    fs::create_dir_all(mine.join("photos/ab")).expect("a folder");
    let mut command = cloakroom(&["restore"]);
    let said = run(command.arg(&backup).arg("--data-dir").arg(&mine)).complaint();
    assert!(said.contains("is not empty: a restore overwrites nothing, and it has photos"), "{said}");
    assert_eq!(fs::read_dir(&mine).expect("a folder").count(), 1);
}
