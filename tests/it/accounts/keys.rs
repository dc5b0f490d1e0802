//! The keys that sign access tokens: shown in public by half, and replaced without anybody noticing.

use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use cloakroom::accounts::signing_keys::{SigningKeys, generate_jwk};
use cloakroom::clock::Clock;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::forger::{Forger, assert_refused, assert_taken, parts, signed_by, token_of};
use super::signed_in::{SignedIn, is_welcome, log_in, refresh};
use crate::support::{PATIENCE, TestApp};

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
    key_with_id(folder, uuid::Timestamp::from_unix(uuid::NoContext, now - seconds_ago, 0))
}

fn key_with_id(folder: &Path, moment: uuid::Timestamp) -> String {
    let kid = uuid::Uuid::new_v7(moment).to_string();
    let mut jwk: Value = serde_json::from_str(&generate_jwk().expect("a key")).expect("a JWK");
    jwk["kid"] = json!(kid);
    std::fs::write(folder.join(format!("{kid}.json")), jwk.to_string()).expect("the key is written");
    kid
}

fn rotate(data_dir: &Path) -> String {
    run_keys(data_dir, &["rotate"])
}

fn run_keys(data_dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    let output = command.arg("keys").args(arguments).arg("--data-dir").arg(data_dir).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// By default a token lives 900 s, 30 s more by the leeway, and 120 s are for servers that see the new key late.
#[test]
fn a_rotation_removes_only_keys_of_which_no_token_can_be_alive() {
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let folder: PathBuf = data_dir.path().join("keys");
    std::fs::create_dir(&folder).expect("the folder");
    let [dead, alive, signs] = [3000, 1100, 920].map(|seconds_ago| key_made(&folder, seconds_ago));
    let output = rotate(data_dir.path());
    assert!(output.contains(&format!("removed   {dead}")), "replaced 1100 s ago: {output}");
    let left = kids(&SigningKeys::open(&folder).expect("the keys open"));
    assert_eq!(left.len(), 3, "{output}");
    assert_eq!(&left[..2], [alive, signs], "the first was replaced 920 s ago: its last token may live");

    rotate(data_dir.path());
    rotate(data_dir.path());
    let after = kids(&SigningKeys::open(&folder).expect("the keys open"));
    assert_eq!(&after[..3], left, "nothing is removed by rotating often");
}

/// Signs the claims anew with the key in this file.
fn signed_with(folder: &Path, kid: &str, forger: &Forger) -> String {
    let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": kid });
    let jwk: Value =
        serde_json::from_slice(&std::fs::read(folder.join(format!("{kid}.json"))).expect("a file")).expect("a JWK");
    let seed = URL_SAFE_NO_PAD.decode(jwk["d"].as_str().expect("d")).expect("base64url");
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key");
    signed_by(&header, &forger.claims, |message| key.sign(message).as_ref().to_vec())
}

async fn shown(test: &TestApp) -> Vec<String> {
    let published = published(test).await;
    let keys = published["keys"].as_array().expect("keys");
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

#[tokio::test]
async fn a_key_that_was_replaced_longer_ago_than_a_token_lives_verifies_nothing_while_its_file_is_there() {
    let (mut test, forger) = Forger::start().await;
    let folder = test.data_dir().join("keys");
    let signs = forger.header["kid"].as_str().expect("a kid").to_owned();
    let [dead, alive, last] = [5000, 1100, 500].map(|seconds_ago| key_made(&folder, seconds_ago));
    for is_restarted in [false, true] {
        if is_restarted {
            test.restart().await;
        }
        assert_refused(&test, &signed_with(&folder, &dead, &forger)).await;
        for kid in [&alive, &last, &signs] {
            assert_taken(&test, &signed_with(&folder, kid, &forger)).await;
        }
        assert_eq!(shown(&test).await, [alive.clone(), last.clone(), signs.clone()]);
        assert!(folder.join(format!("{dead}.json")).exists());
    }
    test.app.accounts.sweep().await.expect("a sweep");
    assert_eq!(kids(&keys_of(&test)), [alive, last, signs], "the sweep removes the file");
}

/// Its own clock tells the server for how long a successor has been there, also if the id of that is of the future.
#[tokio::test]
async fn a_replaced_key_stops_under_a_server_that_runs() {
    let (test, forger) = Forger::start().await;
    let new = keys_of(&test).add().expect("a new key");
    assert_taken(&test, &forger.token()).await;
    test.clock.advance(1050);
    let old = forger.header["kid"].as_str().expect("a kid");
    assert_eq!(shown(&test).await, [old, &new], "the last token may live");
    test.clock.advance(1);
    assert_eq!(shown(&test).await, [new]);
    let now = test.clock.now().timestamp();
    let mut claims = forger.claims.clone();
    (claims["iat"], claims["nbf"], claims["exp"]) = (json!(now), json!(now), json!(now + 900));
    let sign = |message: &[u8]| forger.key.sign(message).as_ref().to_vec();
    assert_refused(&test, &signed_by(&forger.header, &claims, sign)).await;
}

#[tokio::test]
async fn a_key_that_was_made_after_the_clock_went_back_signs() {
    let (test, anna) = TestApp::with_user().await;
    let folder = test.data_dir().join("keys");
    let ahead = u64::try_from(Clock::System.now().timestamp()).expect("after 1970") + 7200;
    let ahead = key_with_id(&folder, uuid::Timestamp::from_unix(uuid::NoContext, ahead, 0));
    let new = keys_of(&test).add().expect("a new key");
    assert!(new > ahead, "{new} {ahead}");
    let (header, _) = parts(&token_of(&test.sign_up("berta").await));
    assert_eq!(header["kid"], json!(new));
    assert_taken(&test, &token_of(&anna)).await;
    let output = rotate(test.data_dir());
    assert!(output.contains(&format!("verifies  {new}")), "{output}");
    let newest = output.lines().find_map(|line| line.strip_prefix("signs     ")).expect("one signs");
    assert!(newest[..36] > *new, "{output}");
}

#[tokio::test]
async fn files_that_are_no_keys_stop_nothing() {
    let (mut test, anna) = TestApp::with_user().await;
    let folder = test.data_dir().join("keys");
    let good = kids(&keys_of(&test));
    let copy = std::fs::read_to_string(folder.join(format!("{}.json", good[0]))).expect("a key");
    std::fs::write(folder.join("garbage.json"), "{}").expect("writable");
    std::fs::write(folder.join("empty.json"), "").expect("writable");
    std::fs::write(folder.join("half.json"), &copy[..copy.len() / 2]).expect("writable");
    std::fs::write(folder.join("long.json"), "x".repeat(20_000)).expect("writable");
    std::fs::write(folder.join("copy.json"), &copy).expect("writable");
    std::fs::write(folder.join("bytes.json"), [0xff, 0xfe, 0]).expect("writable");
    std::fs::create_dir(folder.join("folder.json")).expect("writable");
    std::os::unix::fs::symlink("nowhere", folder.join("dangling.json")).expect("writable");
    // The id of the key, and another secret.
    let mut other: Value = serde_json::from_str(&generate_jwk().expect("a key")).expect("a JWK");
    other["kid"] = json!(good[0]);
    std::fs::write(folder.join("another.json"), other.to_string()).expect("writable");
    for is_restarted in [false, true] {
        if is_restarted {
            test.restart().await;
        }
        let name = format!("user{is_restarted}");
        assert_taken(&test, &token_of(&test.sign_up(&name).await)).await;
        assert_taken(&test, &token_of(&anna)).await;
        assert_eq!(shown(&test).await, good);
        assert_eq!(test.app.accounts.key_faults().len(), 7, "{:?}", test.app.accounts.key_faults());
    }
    let new = keys_of(&test).add().expect("a rotation works beside them");
    let (header, _) = parts(&token_of(&test.sign_up("berta").await));
    assert_eq!(header["kid"], json!(new));
    // A file that was half there is a key as soon as it is whole, under the same name.
    let whole = key_made(&folder, 10);
    std::fs::rename(folder.join(format!("{whole}.json")), folder.join("half.json")).expect("writable");
    assert!(shown(&test).await.contains(&whole));
    assert_eq!(test.app.accounts.key_faults().len(), 6);
}

#[tokio::test]
async fn without_the_folder_tokens_are_made_with_the_keys_in_memory() {
    let (test, anna) = TestApp::with_user().await;
    let (folder, moved) = (test.data_dir().join("keys"), test.data_dir().join("moved"));
    std::fs::rename(&folder, &moved).expect("it is moved");
    for name in ["berta", "clara"] {
        assert_taken(&test, &token_of(&test.sign_up(name).await)).await;
    }
    assert_taken(&test, &token_of(&anna)).await;
    let before = shown(&test).await;
    assert_eq!((before.len(), test.app.accounts.key_faults().len()), (1, 1));
    std::fs::create_dir(&folder).expect("an empty one");
    assert_taken(&test, &token_of(&test.sign_up("dora").await)).await;
    assert_eq!((shown(&test).await, test.app.accounts.key_faults().len()), (before.clone(), 1));
    std::fs::remove_dir(&folder).expect("it is empty");
    std::fs::rename(&moved, &folder).expect("it is back");
    assert_eq!((shown(&test).await, test.app.accounts.key_faults()), (before, Vec::new()));
}

#[tokio::test]
async fn a_folder_with_no_good_key_but_others_is_refused_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("garbage.json"), "{}").expect("writable");
    let error = SigningKeys::open(folder.path()).map(drop).expect_err("there is no key");
    assert!(error.to_string().contains("garbage.json"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "no other key is made");
}

/// After a leak: what the older keys have signed is refused, and sessions live on.
#[tokio::test]
async fn a_revoking_rotation_ends_the_older_keys_at_once() {
    let test = TestApp::start().await;
    test.sign_up("anna").await;
    let SignedIn { user: anna, refresh_token } = log_in(&test.anonymous(), "anna").await;
    test.app.start_upkeep();
    keys_of(&test).add().expect("a key");
    assert_taken(&test, &token_of(&anna)).await;
    let copy = test.data_dir().join("keys/copy.json");
    let (header, _) = parts(&token_of(&anna));
    let own = test.data_dir().join(format!("keys/{}.json", header["kid"].as_str().expect("a kid")));
    std::fs::copy(own, copy).expect("writable");
    let output = run_keys(test.data_dir(), &["rotate", "--revoke"]);
    assert_eq!(output.lines().filter(|line| line.starts_with("revoked ")).count(), 2, "{output}");
    let is_refused = async { while is_welcome(&anna).await {} };
    tokio::time::timeout(PATIENCE, is_refused).await.expect("it is refused, although it was remembered");
    assert_eq!(shown(&test).await, kids(&keys_of(&test)));
    assert_eq!(kids(&keys_of(&test)).len(), 1, "copies have gone as well");
    let pair = refresh(&test.anonymous(), &refresh_token).await;
    let access = pair.at("/data/refreshTokens/tokens/accessToken").as_str();
    assert_taken(&test, access.expect("new tokens")).await;
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
