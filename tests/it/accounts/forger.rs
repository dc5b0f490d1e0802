//! Makes access tokens as an attacker would, or with the server's own key, and says what became of them.

use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp};

pub const CHALLENGE: &str = "Bearer realm=\"cloakroom\", error=\"invalid_token\"";

/// A genuine token taken apart, and the key that signed it.
pub struct Forger {
    pub header: Value,
    pub claims: Value,
    pub key: Ed25519KeyPair,
}

impl Forger {
    /// Of a fresh user's token that the server has not met yet: nothing about it is remembered.
    pub async fn start() -> (TestApp, Self) {
        let (test, user) = TestApp::with_user().await;
        let forger = Self::of(test.data_dir(), &token_of(&user));
        (test, forger)
    }

    /// Takes `token` apart and reads the key below `data_dir` that its header names.
    pub fn of(data_dir: &Path, token: &str) -> Self {
        let (header, claims) = parts(token);
        let kid = header["kid"].as_str().expect("a kid");
        let file = std::fs::read(data_dir.join(format!("keys/{kid}.json"))).expect("the key's file");
        let jwk: Value = serde_json::from_slice(&file).expect("a JWK");
        let seed = URL_SAFE_NO_PAD.decode(jwk["d"].as_str().expect("d")).expect("base64url");
        let key = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key");
        Self { header, claims, key }
    }

    /// The public half, as the JWK Set shows it.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// Signs the header and claims with the server's own key.
    pub fn token(&self) -> String {
        signed_by(&self.header, &self.claims, |message| self.key.sign(message).as_ref().to_vec())
    }

    /// The token with another value in the header; without the field for null.
    pub fn with_header(&self, name: &str, value: Value) -> String {
        let header = replaced(&self.header, name, value);
        signed_by(&header, &self.claims, |message| self.key.sign(message).as_ref().to_vec())
    }

    /// The token with another claim; without it for null.
    pub fn with_claim(&self, name: &str, value: Value) -> String {
        let claims = replaced(&self.claims, name, value);
        signed_by(&self.header, &claims, |message| self.key.sign(message).as_ref().to_vec())
    }
}

/// The token with the signature that `sign` makes over its first two parts.
pub fn signed_by(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// The header and the claims of a token.
pub fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let json = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&json).unwrap_or(Value::Null)
    });
    (parts.next().expect("a header"), parts.next().expect("claims"))
}

/// base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The access token of a caller who has one.
pub fn token_of(caller: &Caller) -> String {
    caller.token.clone().expect("a token")
}

/// Asserts that the server takes this token.
pub async fn assert_taken(test: &TestApp, token: &str) {
    let reply = test.bearer(Some(token)).run("{ current }").await;
    assert_eq!((reply.status.as_u16(), reply.at("/data/current")), (200, &json!(0)), "{}: {token}", reply.body);
}

/// Asserts that the server refuses this token, in the one way in which it refuses all.
pub async fn assert_refused(test: &TestApp, token: &str) {
    let reply = test.bearer(Some(token)).run("mutation { next { value } }").await;
    assert_refusal(test, &reply).await;
}

/// Asserts that this is how the server refuses any token: nobody learns what was wrong with theirs.
pub async fn assert_refusal(test: &TestApp, reply: &Reply) {
    assert_eq!(reply.status.as_u16(), 401, "{}", reply.body);
    assert_eq!(reply.header(header::WWW_AUTHENTICATE.as_str()), CHALLENGE);
    let garbage = test.bearer(Some("garbage")).run("{ current }").await;
    assert_eq!((garbage.status.as_u16(), garbage.code()), (401, "UNAUTHENTICATED"), "{}", garbage.body);
    for error in reply.at("/errors").as_array().expect("errors") {
        for part in ["message", "extensions"] {
            assert_eq!(error[part], garbage.at("/errors/0")[part], "all refusals are alike");
        }
    }
    assert!(reply.has_no_result(), "no field ran: {}", reply.body);
}

fn replaced(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.as_object().expect("an object").clone();
    match value {
        Value::Null => drop(object.remove(name)),
        value => drop(object.insert(name.to_owned(), value)),
    }
    Value::Object(object)
}
