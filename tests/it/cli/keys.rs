//! `cloakroom keys`: making, showing and replacing the keys that sign.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::Place;

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
async fn a_broken_key_file_is_named_and_not_shown() {
    for (name, text) in [
        ("broken.json", "{ \"kty\": \"OKP\", \"d\": \"s3cret"),
        ("empty.json", ""),
        ("other.json", "{ \"kty\": \"RSA\", \"d\": \"s3cret\" }"),
    ] {
        let place = Place::create().await;
        place.run(&["keys", "list"]).output();
        fs::write(place.data.path().join("data/keys").join(name), text).expect("writable");
        for arguments in [&["keys", "list"][..], &["--listen", "127.0.0.1:0", "--migrate"]] {
            let said = place.run(arguments).complaint();
            assert!(said.contains(name), "{said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}
