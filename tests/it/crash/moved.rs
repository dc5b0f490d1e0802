//! The data directory, or a file in it, goes away under a running server: nothing more is
//! acknowledged, and the server ends with an error that names the file. SQLite only: the others' files
//! are another machine's.

use std::fs;
use std::path::Path;

use super::pictures::{form, noise};
use super::{Home, next};
use crate::support::{PATIENCE, Process, Random, TestDatabase};

/// Asserts that a server whose files moved acknowledges nothing, and ends with an error that names
/// `file`.
async fn assert_ends(process: &mut Process, token: &str, file: &Path) {
    let refuse = async {
        while let Some(answer) = next(process, token).await {
            assert_eq!(answer, Err("UNAVAILABLE".to_owned()));
        }
    };
    tokio::time::timeout(PATIENCE, refuse).await.expect("the server ends");
    assert_eq!(process.ended().await, 1);
    let log = process.output();
    let named = file.to_string_lossy();
    assert!(log.contains(&format!("stopping: {named}")), "{named}: {log}");
}

#[tokio::test]
async fn numbers_are_not_acknowledged_into_a_folder_that_was_moved() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let home = Home::new().await;
    let mut process = home.start();
    let anna = process.sign_up("anna").await;
    for number in 1..=5 {
        assert_eq!(next(&process, &anna).await, Some(Ok(number)));
    }
    let (data, moved) = (home.folder.path().join("data"), home.folder.path().join("moved"));
    fs::rename(&data, &moved).expect("it is moved");
    let picture = noise(&mut Random::seeded());
    let answer = process.upload(&anna, form(std::slice::from_ref(&picture), "lost", false)).await;
    assert!(answer.is_none_or(|answer| answer["data"]["uploadPhotos"].is_null()), "it is stored nowhere");
    assert_ends(&mut process, &anna, &data.join("cloakroom.db")).await;
    assert!(!data.exists(), "no folder is created again");

    fs::rename(&moved, &data).expect("it is moved back");
    let process = home.start();
    assert_eq!(next(&process, &anna).await, Some(Ok(6)), "after what was acknowledged");
}

#[tokio::test]
async fn a_file_of_the_database_that_is_gone_or_replaced_ends_the_server() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    for file in ["cloakroom.db", "cloakroom.db-wal", "cloakroom.db-lock"] {
        for is_replaced in [false, true] {
            let home = Home::new().await;
            let mut process = home.start();
            let anna = process.sign_up("anna").await;
            assert_eq!(next(&process, &anna).await, Some(Ok(1)), "{file}");
            let path = home.folder.path().join("data").join(file);
            let kept = path.with_extension("kept");
            fs::rename(&path, &kept).expect("it is moved");
            if is_replaced {
                fs::copy(&kept, &path).expect("a copy");
            }
            assert_ends(&mut process, &anna, &path).await;
        }
    }
}

#[tokio::test]
async fn commands_beside_a_server_leave_its_files_in_place() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let home = Home::new().await;
    let mut process = home.start();
    let anna = process.sign_up("anna").await;
    let data = home.folder.path().join("data");
    for command in [["users", "list"], ["photos", "check"], ["migrate", "status"]] {
        let mut beside = std::process::Command::new(env!("CARGO_BIN_EXE_cloakroom"));
        let output = beside.args(command).arg("--data-dir").arg(&data).output().expect("it runs");
        assert!(output.status.success(), "{command:?}: {output:?}");
        assert!(next(&process, &anna).await.expect("an answer").is_ok(), "{command:?}");
    }
    process.signal("TERM");
    assert_eq!(process.ended().await, 0);
}
