//! What is no backup, is no longer what was backed up, or would overwrite something.

use std::fs;

use super::{Place, back_up, content, restore, restored, serve, there, with};
use crate::support::TestDatabase;

/// A backup of a place with photos; `None` where backups are refused.
async fn backed_up() -> Option<Place> {
    if !TestDatabase::is_sqlite() {
        return None;
    }
    let place = with(1).await;
    back_up(&place).output();
    Some(place)
}

/// The restore is refused for this reason, and leaves nothing behind.
fn assert_refused(place: &Place, reason: &str) {
    let said = restore(place).complaint();
    assert!(said.contains(reason), "{reason} is not in {said}");
    assert!(!restored(place).exists(), "{said}");
}

#[tokio::test]
async fn a_file_that_changed_is_named() {
    let Some(place) = backed_up().await else { return };
    let backup = place.data.path().join("backup");
    for path in [content(&backup), backup.join("cloakroom.db"), backup.join("keys/refresh.key")] {
        let before = fs::read(&path).expect("a file");
        let mut flipped = before.clone();
        *flipped.last_mut().expect("a byte") ^= 1;
        let cut = before[..before.len() - 1].to_vec();
        for changed in [flipped, cut, Vec::new()] {
            fs::write(&path, changed).expect("it is written");
            assert_refused(&place, &format!("{} is not what was backed up", path.display()));
        }
        fs::remove_file(&path).expect("it goes");
        assert_refused(&place, &format!("cannot restore {}", path.display()));
        fs::write(&path, before).expect("it is written");
    }
    restore(&place).output();
}

#[tokio::test]
async fn a_manifest_that_was_changed_or_cut_is_not_trusted() {
    let Some(place) = backed_up().await else { return };
    let path = place.data.path().join("backup/manifest.jsonl");
    let before = fs::read_to_string(&path).expect("a manifest");
    let lines: Vec<&str> = before.lines().collect();
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat().join("\n");
    let changed = [
        (without(2), "it is not what was written"),
        (without(lines.len() - 1), "its end is missing"),
        (without(0), "its first line is not that of a manifest"),
        (before.replacen("photos/", "../photos/", 1), "it is not what was written"),
        (before.replacen("\"format\":1", "\"format\":2", 1), "this version reads format 1"),
        (before[..before.len() / 2].to_owned(), "its end is missing"),
        (String::new(), "it is empty"),
        ("x".repeat(100), "its first line is not that of a manifest"),
    ];
    for (text, reason) in changed {
        assert_ne!(text, before);
        fs::write(&path, text).expect("it is written");
        assert_refused(&place, reason);
    }
    fs::remove_file(&path).expect("it goes");
    assert_refused(&place, "is no backup, or not a whole one: it has no manifest.jsonl");
    fs::write(&path, before).expect("it is written");
    restore(&place).output();
}

#[tokio::test]
async fn a_path_that_leads_out_of_the_backup_is_refused_even_in_a_whole_manifest() {
    let Some(place) = backed_up().await else { return };
    let path = place.data.path().join("backup/manifest.jsonl");
    let before = fs::read_to_string(&path).expect("a manifest");
    for name in
        ["../stolen", "keys/../../stolen", "/etc/stolen", "photos/../stolen", "cloakroom.db-lock", "keys/", "keys/a/b"]
    {
        let mut text = before.replacen("keys/refresh.key", name, 1);
        let end = text.trim_end().rfind('\n').expect("lines") + 1;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text.as_bytes()[..end]);
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let old = text[end..].rsplit('"').nth(1).expect("a digest").to_owned();
        text = format!("{}{}", &text[..end], text[end..].replace(&old, &digest));
        fs::write(&path, text).expect("it is written");
        assert_refused(&place, "which no backup has");
    }
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let Some(place) = backed_up().await else { return };
    let said = back_up(&place).complaint();
    assert!(said.contains("is not empty: a backup overwrites nothing"), "{said}");
    fs::create_dir(restored(&place)).expect("a folder");
    fs::write(restored(&place).join("mine"), "mine").expect("it is written");
    let said = restore(&place).complaint();
    assert!(said.contains("is not empty: a restore overwrites nothing"), "{said}");
    assert_eq!(fs::read_dir(restored(&place)).expect("a folder").count(), 1);
    fs::remove_file(restored(&place).join("mine")).expect("it goes");
    restore(&place).output();
    assert!(there(&place, &["users", "list"]).output().contains("anna"));
    let _server = serve(&place);
    let backup = place.data.path().join("backup").to_string_lossy().into_owned();
    let said = place.run(&["restore", &backup]).complaint();
    assert!(said.contains("another server is using the database"), "{said}");
}

#[tokio::test]
async fn a_photo_that_is_missing_or_damaged_fails_the_backup_and_is_named() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = with(1).await;
    let content = content(&place.data.path().join("data"));
    let before = fs::read(&content).expect("a picture");
    fs::write(&content, b"something else").expect("it is written");
    let said = back_up(&place).complaint();
    assert!(said.contains(&format!("{} is not what was stored", content.display())), "{said}");
    assert!(!place.data.path().join("backup/manifest.jsonl").exists());
    fs::remove_dir_all(place.data.path().join("backup")).expect("it goes");
    fs::remove_file(&content).expect("it goes");
    let said = back_up(&place).complaint();
    let name = content.file_name().expect("a name").to_string_lossy();
    assert!(said.contains(&format!("{name} is missing: see `cloakroom photos check`")), "{said}");
    assert_refused(&place, "has no manifest.jsonl");
    fs::write(&content, before).expect("it is written");
    fs::remove_dir_all(place.data.path().join("backup")).expect("it goes");
    back_up(&place).output();
}

#[tokio::test]
async fn where_there_is_no_embedded_database_nothing_is_backed_up() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused.
    }
    let place = Place::create().await;
    let said = back_up(&place).complaint();
    assert!(said.contains("there is no database in "), "{said}");
    let mut command = place.command(&["backup", "/nowhere"]);
    for (name, value) in [("URL", "s3://bucket"), ("S3_ACCESS_KEY_ID", "id"), ("S3_SECRET_ACCESS_KEY", "secret")] {
        command.env(format!("CLOAKROOM__STORAGE__{name}"), value);
    }
    let said = super::run(&mut command).complaint();
    assert!(said.contains("storage.url is S3, which has its own tools"), "{said}");
}
