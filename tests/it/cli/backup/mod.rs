//! `cloakroom backup` and `cloakroom restore`, beside a server and without one.

mod contents;
mod refusals;
mod while_serving;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::photos::{picture, serve, upload};
use super::storage::MARKER;
use super::{Place, Said, cloakroom, run};
use crate::support::TestDatabase;

fn back_up(place: &Place) -> Said {
    place.run(&["backup", &place.data.path().join("backup").to_string_lossy()])
}

/// Restores the backup of a place into the folder `restored` beside it.
fn restore(place: &Place) -> Said {
    let (from, to) = (place.data.path().join("backup"), restored(place));
    run(cloakroom(&["restore"]).arg(from).arg("--data-dir").arg(to))
}

fn restored(place: &Place) -> PathBuf {
    place.data.path().join("restored")
}

/// A command on the restored folder.
fn there(place: &Place, arguments: &[&str]) -> Said {
    run(cloakroom(arguments).arg("--data-dir").arg(restored(place)))
}

/// A place with a user who has so many photos; the server has ended.
async fn with(pictures: u32) -> Place {
    let place = Place::create().await;
    let mut server = serve(&place);
    let token = server.sign_up("anna").await;
    for number in 1..=pictures {
        upload(&server, &token, &picture(number)).await.expect("an answer");
    }
    assert_eq!(server.end_with("TERM").code(), Some(0));
    place
}

/// Every file below a folder, with its mode; folders as well.
fn modes(folder: &Path) -> Vec<(PathBuf, bool, u32)> {
    let (mut found, mut waiting) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(path) = waiting.pop() {
        let metadata = fs::metadata(&path).expect("it is there");
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        }
        found.push((path, metadata.is_dir(), metadata.permissions().mode() & 0o777));
    }
    found
}

/// One of the contents below a folder.
fn content(folder: &Path) -> PathBuf {
    let files = modes(&folder.join("photos")).into_iter().filter(|(_, is_dir, _)| !is_dir).map(|(path, ..)| path);
    files.filter(|path| !path.ends_with(MARKER)).min().expect("a content")
}

#[tokio::test]
async fn a_backup_is_its_owners_alone_and_restores_to_the_same() {
    if !TestDatabase::is_sqlite() {
        let place = Place::create().await;
        let said = back_up(&place).complaint();
        assert!(said.contains("which has its own tools: ") && said.contains("dump"), "{said}");
        let said = place.run(&["restore", "/nowhere"]).complaint();
        assert!(said.contains("which has its own tools: "), "{said}");
        return;
    }
    let place = with(2).await;
    let said = back_up(&place).output();
    assert!(said.starts_with("backed up as of 20") && said.contains(": 11 files, "), "{said}");
    let said = restore(&place).output();
    assert!(said.starts_with("restored as of 20") && said.contains(": 11 files, "), "{said}");
    for folder in [place.data.path().join("backup"), restored(&place)] {
        for (path, is_dir, mode) in modes(&folder) {
            assert_eq!(mode, if is_dir { 0o700 } else { 0o600 }, "{}", path.display());
        }
        assert_eq!(
            modes(&folder.join("photos")).iter().filter(|(path, is_dir, _)| !is_dir && !path.ends_with(MARKER)).count(),
            8
        );
    }
    assert!(!restored(&place).join("restoring").exists());
    for name in ["keys/refresh.key", "photos"] {
        let path = place.data.path().join("data").join(name);
        if path.is_file() {
            assert_eq!(fs::read(&path).expect("a key"), fs::read(restored(&place).join(name)).expect("a key"));
        }
    }
    there(&place, &["photos", "check", "--content"]).output();
    let users = there(&place, &["users", "list"]).output();
    assert!(users.contains("anna"), "{users}");
}

#[tokio::test]
async fn a_database_of_an_older_version_is_backed_up_as_it_is_and_migrated_by_the_restore() {
    if !TestDatabase::is_sqlite() {
        return; // Others are refused: see above.
    }
    let place = Place::create().await;
    place.run(&["migrate", "up"]).output();
    place.run(&["keys", "list"]).output();
    place.run(&["migrate", "down", "5"]).output();
    back_up(&place).output();
    restore(&place).output();
    let status = |said: Said| said.output().matches("pending").count();
    assert_eq!(status(place.run(&["migrate", "status"])), 5);
    assert_eq!(status(there(&place, &["migrate", "status"])), 0);
}
