//! What the schema does not have (P8): no field tells a secret, no input sets what is not the caller's to set.

use serde_json::Value;

use super::{introspect, list, own_types, text};
use crate::support::TestApp;

/// Words in the names of fields that would tell a secret, or what a person must not set or see.
const SECRET: [&str; 9] = ["password", "hash", "secret", "token", "salt", "key", "suspended", "deleted", "unconfirmed"];

/// Fields that have such a word, each with its reason to be there.
const KNOWN: [&str; 8] = [
    // Handed out once, to whoever has just proved who they are.
    "Tokens.accessToken",
    "Tokens.refreshToken",
    "Tokens.tokenType",
    "CreateApiKeyPayload.secret",
    // What a payload is about.
    "LoginPayload.tokens",
    "DeleteAccountPayload.deletedUserId",
    "DeleteCounterPayload.deletedCounterId",
    "DeletePhotosPayload.deletedPhotoIds",
];
const KNOWN_OBJECTS: [&str; 7] = [
    "SignUpPayload.tokens",
    "RefreshTokensPayload.tokens",
    "Viewer.apiKeys",
    "CreateApiKeyPayload.apiKey",
    "RevokeApiKeyPayload.apiKey",
    "Limits.tokens",
    // A picture of a few bytes, no digest.
    "Photo.thumbhash",
];

#[tokio::test]
async fn no_field_tells_a_secret() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    let mut found = Vec::new();
    for kind in own_types(&schema).into_iter().filter(|kind| text(kind, "name") != "Mutation") {
        for field in list(kind, "fields") {
            let name = text(field, "name").to_lowercase();
            if SECRET.iter().any(|word| name.contains(word)) {
                found.push(format!("{}.{}", text(kind, "name"), text(field, "name")));
            }
        }
    }
    found.sort_unstable();
    let mut known: Vec<&str> = KNOWN.into_iter().chain(KNOWN_OBJECTS).collect();
    known.sort_unstable();
    assert_eq!(found, known);
}

/// Roles, moments and owners are set by verbs of their own, not by whoever adds a field to an input.
#[tokio::test]
async fn no_input_sets_what_is_not_the_callers_to_set() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    let fields = |name: &str| -> Vec<String> {
        let kind = own_types(&schema).into_iter().find(|kind| text(kind, "name") == name).expect(name);
        list(kind, "inputFields").map(|field| text(field, "name").to_owned()).collect()
    };
    assert_eq!(fields("SignUpInput"), ["email", "username", "password", "displayName"]);
    assert_eq!(fields("UpdateProfileInput"), ["username", "displayName"]);
    assert_eq!(fields("CreateApiKeyInput"), ["password", "name", "scopes", "counter", "expiresAt", "idempotencyKey"]);
    assert_eq!(fields("UploadPhotosInput"), ["photos", "publish", "idempotencyKey"]);
    assert_eq!(fields("NewPhoto"), ["file", "caption"]);
    assert_eq!(fields("PhotoEdit"), ["photoId", "caption"]);
    assert_eq!(fields("SetCurrentInput"), ["current", "counter", "ifCurrent", "idempotencyKey"]);
    for kind in own_types(&schema) {
        for field in list(kind, "inputFields") {
            let (input, name) = (text(kind, "name"), text(field, "name"));
            let admins = ["SetUserRoleInput", "SuspendUserInput", "ReinstateUserInput"].contains(&input);
            let others = ["role", "userId", "user", "ownerId", "createdAt", "emailVerifiedAt", "id"].contains(&name);
            assert!(admins || !others, "{input}.{name}");
        }
    }
}

#[tokio::test]
async fn more_than_an_input_has_is_refused_and_does_nothing() {
    let (test, anna) = TestApp::with_user().await;
    for operation in [
        "signUp(input: { username: \"bert\", password: \"correct horse battery\", role: ADMIN }) { user { id } }",
        "signUp(input: { username: \"bert\", password: \"correct horse battery\", id: \"x\" }) { user { id } }",
        "createApiKey(input: { password: \"correct horse battery\", name: \"x\", scopes: [ACCOUNT_READ], userId: \"x\" }) { secret }",
        "createApiKey(input: { password: \"correct horse battery\", name: \"x\", scopes: [ACCOUNT_READ], secret: \"x\" }) { secret }",
        "setCurrent(input: { current: 1, max: 2 }) { previous }",
        "setCurrent(input: { current: 1, userId: \"x\" }) { previous }",
    ] {
        let reply = anna.run(&format!("mutation {{ {operation} }}")).await;
        assert_eq!((reply.code(), reply.at("/data")), ("GRAPHQL_VALIDATION_FAILED", &Value::Null), "{operation}");
    }
    assert_eq!(test.rows().await.users, 1);
    assert_eq!(
        anna.run("{ current viewer { apiKeys { id } } }").await.data()["viewer"]["apiKeys"],
        serde_json::json!([])
    );
}
