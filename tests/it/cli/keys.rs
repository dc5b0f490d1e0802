//! `cloakroom keys`: making, showing and replacing the keys that sign.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Place;
use crate::support::Process;

#[tokio::test]
async fn a_generated_key_is_printed_and_kept_nowhere() {
    let place = Place::create().await;
    let (one, other) = (place.run(&["keys", "generate"]).output(), place.run(&["keys", "generate"]).output());
    assert_ne!(one, other);
    let jwk: serde_json::Value = serde_json::from_str(&one).expect("a JWK");
    assert_eq!((&jwk["kty"], &jwk["crv"]), (&"OKP".into(), &"Ed25519".into()), "{jwk}");
    assert!(jwk["d"].is_string() && jwk["x"].is_string() && jwk["kid"].is_string(), "{jwk}");
    assert!(!place.data.path().join("data").exists());
}

#[tokio::test]
async fn after_a_rotation_a_new_key_signs_and_the_old_one_verifies() {
    let place = Place::create().await;
    let before = place.run(&["keys", "list"]).output();
    assert_eq!(before.lines().count(), 1, "{before}");
    assert!(before.starts_with("signs "), "{before}");
    let kid = before.split_whitespace().nth(1).expect("a kid").to_owned();

    let after = place.run(&["keys", "rotate"]).output();
    assert_eq!(place.run(&["keys", "list"]).output(), after);
    let (signing, verifying): (Vec<&str>, Vec<&str>) = after.lines().partition(|line| line.starts_with("signs "));
    assert_eq!((signing.len(), verifying.len()), (1, 1), "{after}");
    assert!(
        !signing[0].contains(&kid) && verifying[0].starts_with("verifies") && verifying[0].contains(&kid),
        "{after}"
    );
    assert!(!after.contains("\"d\""), "no secrets: {after}");
    for entry in fs::read_dir(place.data.path().join("data/keys")).expect("the keys folder") {
        let mode = entry.expect("an entry").metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_broken_key_file_is_named_and_not_shown_and_stops_nothing() {
    for (name, text) in [
        ("broken.json", "{ \"kty\": \"OKP\", \"d\": \"s3cret"),
        ("empty.json", ""),
        ("other.json", "{ \"kty\": \"RSA\", \"d\": \"s3cret\" }"),
        ("text.json", "\"s3cret\""),
        (
            "number.json",
            "{ \"kty\": \"OKP\", \"crv\": \"Ed25519\", \"kid\": \"k\", \"x\": \"s3cret\", \"d\": [\"s3cret\"] }",
        ),
    ] {
        let place = Place::create().await;
        place.run(&["keys", "list"]).output();
        fs::write(place.data.path().join("data/keys").join(name), text).expect("writable");
        let said = place.run(&["keys", "list"]).output();
        assert!(said.contains(name) && said.contains("signs "), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
        let mut server = Process::start(&place.data.path().join("data"), |command| {
            if !place.url.is_empty() {
                command.args(["--database", &place.url]);
            }
        });
        let token = server.sign_up("anna").await;
        let answer = server.run(Some(&token), "{ current }").await.expect("an answer");
        assert_eq!(answer["data"]["current"], 0, "{answer}");
        assert_eq!(server.end_with("TERM").code(), Some(0));
        let log = server.output();
        assert_eq!(log.lines().filter(|line| line.contains("ERROR") && line.contains(name)).count(), 1, "{log}");
        assert!(!log.contains("s3cret"), "{log}");
    }
}

#[tokio::test]
async fn a_generated_key_replaces_those_that_are_there_whatever_the_clock_said_when_they_were_made() {
    let place = Place::create().await;
    place.run(&["keys", "list"]).output();
    let folder = place.data.path().join("data/keys");
    let mut ahead: serde_json::Value = serde_json::from_str(&place.run(&["keys", "generate"]).output()).expect("a JWK");
    ahead["kid"] = "03bb2cc3-d800-7000-8000-000000000000".into();
    fs::write(folder.join("ahead.json"), ahead.to_string()).expect("writable");
    let generated = place.run(&["keys", "generate"]).output();
    let jwk: serde_json::Value = serde_json::from_str(&generated).expect("a JWK");
    let kid = jwk["kid"].as_str().expect("a kid");
    fs::write(folder.join(format!("{kid}.json")), &generated).expect("writable");
    let listed = place.run(&["keys", "list"]).output();
    assert!(listed.contains(&format!("signs     {kid}")), "{listed}");
}

/// What others could read or write is taken from them when a server starts.
#[tokio::test]
async fn permissions_are_repaired_at_start() {
    let place = Place::create().await;
    place.run(&["keys", "list"]).output();
    let data = place.data.path().join("data");
    let start = || {
        Process::start(&data, |command| {
            if !place.url.is_empty() {
                command.args(["--database", &place.url]);
            }
        })
    };
    drop(start());
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    for (of_folders, of_files) in [(0o755, 0o644), (0o777, 0o666), (0o750, 0o640)] {
        mode(&data, of_folders);
        mode(&data.join("keys"), of_folders);
        for entry in fs::read_dir(data.join("keys")).expect("a folder") {
            mode(&entry.expect("an entry").path(), of_files);
        }
        let mut server = start();
        let seen = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((seen(&data), seen(&data.join("keys"))), (0o700, 0o700), "{of_folders:o}");
        for entry in fs::read_dir(data.join("keys")).expect("a folder") {
            let path = entry.expect("an entry").path();
            assert_eq!(seen(&path), 0o600, "{}", path.display());
        }
        assert_eq!(server.end_with("TERM").code(), Some(0));
        assert!(server.output().contains("the permissions of"), "the operator is told");
    }
    mode(&data, 0o1777);
    let said = place.run(&["keys", "list"]).complaint();
    assert!(said.contains("choose a folder of its own"), "{said}");
    mode(&data, 0o700);
}
