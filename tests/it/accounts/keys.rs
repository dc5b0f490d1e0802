//! The keys that sign access tokens: shown in public by half, and replaced without anybody noticing.

use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::TimeDelta;
use cloakroom::accounts::signing_keys::{SigningKeys, generate_jwk};
use cloakroom::clock::Clock;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::forger::{Forger, assert_refused, assert_taken, parts, token_of};
use crate::support::TestApp;

fn keys_of(test: &TestApp) -> SigningKeys {
    SigningKeys::open(&test.data_dir().join("keys")).expect("the keys open")
}

fn kids(keys: &SigningKeys) -> Vec<String> {
    keys.list().expect("the keys").into_iter().map(|key| key.kid).collect()
}

async fn published(test: &TestApp) -> Value {
    let reply = test.anonymous().get("/.well-known/jwks.json").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/json"));
    reply.body
}

/// A rotation by another process, as `cloakroom keys rotate` is one.
#[tokio::test]
async fn a_running_server_follows_a_rotation_and_takes_the_old_tokens() {
    let (test, anna) = TestApp::with_user().await;
    let known = test.sign_up("known").await;
    assert_taken(&test, &token_of(&known)).await;
    let (before, _) = parts(&token_of(&anna));

    let new = keys_of(&test).add().expect("a new key");
    let berta = test.sign_up("berta").await;
    let (after, _) = parts(&token_of(&berta));
    assert_eq!((&after["kid"], before["kid"] == after["kid"]), (&json!(new), false), "the new key signs");
    for user in [&anna, &known, &berta] {
        assert_taken(&test, &token_of(user)).await;
    }
    let published = published(&test).await;
    let shown: Vec<&Value> = published["keys"].as_array().expect("keys").iter().map(|key| &key["kid"]).collect();
    assert_eq!(shown, [&before["kid"], &after["kid"]]);
}

/// Folders keep their time in steps of milliseconds: two changes within one must both be seen.
#[tokio::test]
async fn a_rotation_is_seen_even_if_the_folders_time_does_not_tell() {
    let (test, _) = TestApp::with_user().await;
    let folder = std::fs::File::open(test.data_dir().join("keys")).expect("the folder");
    let changed_at = folder.metadata().and_then(|metadata| metadata.modified()).expect("its time");
    let new = keys_of(&test).add().expect("a new key");
    folder.set_modified(changed_at).expect("its time is set back");
    let (header, _) = parts(&token_of(&test.sign_up("berta").await));
    assert_eq!(header["kid"], json!(new));
}

#[tokio::test]
async fn a_removed_key_verifies_nothing_any_more() {
    let (test, forger) = Forger::start().await;
    let keys = keys_of(&test);
    keys.add().expect("a new key");
    let kid = forger.header["kid"].as_str().expect("a kid");
    let moment = keys.list().expect("the keys")[1].created_at;
    assert_eq!(keys.remove_replaced_before(moment).expect("the keys"), [""; 0], "it was replaced at that moment");
    assert_taken(&test, &forger.token()).await;
    assert_eq!(keys.remove_replaced_before(moment + TimeDelta::seconds(1)).expect("the keys"), [kid]);
    assert_refused(&test, &forger.with_claim("jti", json!("0199f3d2-c1a4-7c0e-8d2f-6a5b4c3d2e1f"))).await;
    assert_eq!(published(&test).await["keys"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_key_that_signs_is_never_removed() {
    let (test, _) = TestApp::with_user().await;
    let keys = keys_of(&test);
    let later = Clock::System.now() + TimeDelta::days(1000);
    assert_eq!(keys.remove_replaced_before(later).expect("the keys"), [""; 0]);
    assert_eq!(kids(&keys).len(), 1);
}

/// A key in `folder` that looks as if it had been made that long ago.
fn key_made(folder: &Path, seconds_ago: u64) -> String {
    let now = u64::try_from(Clock::System.now().timestamp()).expect("after 1970");
    let moment = uuid::Timestamp::from_unix(uuid::NoContext, now - seconds_ago, 0);
    let kid = uuid::Uuid::new_v7(moment).to_string();
    let mut jwk: Value = serde_json::from_str(&generate_jwk().expect("a key")).expect("a JWK");
    jwk["kid"] = json!(kid);
    std::fs::write(folder.join(format!("{kid}.json")), jwk.to_string()).expect("the key is written");
    kid
}

fn rotate(data_dir: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    let output = command.args(["keys", "rotate", "--data-dir"]).arg(data_dir).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// By default a token lives 900 s, and 30 s more by the leeway.
#[test]
fn a_rotation_removes_only_keys_of_which_no_token_can_be_alive() {
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let folder: PathBuf = data_dir.path().join("keys");
    std::fs::create_dir(&folder).expect("the folder");
    let [dead, alive, signs] = [3000, 1000, 920].map(|seconds_ago| key_made(&folder, seconds_ago));
    let output = rotate(data_dir.path());
    assert!(output.contains(&format!("removed   {dead}")), "replaced 1000 s ago: {output}");
    let left = kids(&SigningKeys::open(&folder).expect("the keys open"));
    assert_eq!(left.len(), 3, "{output}");
    assert_eq!(&left[..2], [alive, signs], "the first was replaced 920 s ago: its last token may live");

    rotate(data_dir.path());
    rotate(data_dir.path());
    let after = kids(&SigningKeys::open(&folder).expect("the keys open"));
    assert_eq!(&after[..3], left, "nothing is removed by rotating often");
}

#[tokio::test]
async fn the_published_keys_are_public_halves_and_enough_to_verify_a_token() {
    let (test, user) = TestApp::with_user().await;
    keys_of(&test).add().expect("a new key");
    let published = published(&test).await;
    for key in published["keys"].as_array().expect("keys") {
        let names: Vec<&String> = key.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["kty", "crv", "use", "alg", "kid", "x"], "never d");
    }

    let token = token_of(&user);
    let set: JwkSet = serde_json::from_value(published).expect("a JWK Set");
    let kid = jsonwebtoken::decode_header(&token).expect("a header").kid.expect("a kid");
    let key = DecodingKey::from_jwk(set.find(&kid).expect("the key is published")).expect("a key");
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&["cloakroom"]);
    validation.set_audience(&["cloakroom"]);
    // The test's clock stands still.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("the signature is good").claims;
    assert!(claims["sub"].as_str().is_some_and(|sub| sub.starts_with("usr_")));

    let other = set.keys.iter().find(|key| key.common.key_id.as_ref() != Some(&kid)).expect("the other key");
    let other = DecodingKey::from_jwk(other).expect("a key");
    assert!(jsonwebtoken::decode::<Value>(&token, &other, &validation).is_err());
}
