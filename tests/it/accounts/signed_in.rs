//! Somebody with both tokens of a session, as the tests of sessions need them.

use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, Reply, TestApp};

pub(super) const LOGIN: &str = "mutation ($identifier: String!, $password: String!, $name: String) {
    login(input: { identifier: $identifier, password: $password, deviceName: $name }) {
        tokens { accessToken refreshToken } userErrors { code field message } } }";

pub(super) const REFRESH: &str = "mutation ($token: String!) { refreshTokens(input: { refreshToken: $token }) {
    tokens { accessToken refreshToken } userErrors { code field message } } }";

/// A session's owner and its refresh token.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) user: Caller,
    pub(super) refresh_token: String,
}

/// Tries to sign in, as `caller`, who may have an address.
pub(super) async fn login(caller: &Caller, identifier: &str, password: &str) -> Reply {
    let variables = json!({ "identifier": identifier, "password": password, "name": null });
    caller.with_token(None).run_with(LOGIN, variables).await
}

/// Signs in, as `caller`, who may have an address.
pub(super) async fn log_in(caller: &Caller, username: &str) -> SignedIn {
    log_in_as(caller, username, PASSWORD, None).await
}

/// The same with a name for the session.
pub(super) async fn log_in_as(caller: &Caller, username: &str, password: &str, name: Option<&str>) -> SignedIn {
    let variables = json!({ "identifier": username, "password": password, "name": name });
    let reply = caller.with_token(None).run_with(LOGIN, variables).await;
    let tokens = reply.at("/data/login/tokens");
    assert!(tokens.is_object(), "no tokens in {}", reply.body);
    SignedIn {
        user: caller.with_token(tokens["accessToken"].as_str()),
        refresh_token: tokens["refreshToken"].as_str().expect("a token").to_owned(),
    }
}

/// Refreshes, without an access token.
pub(super) async fn refresh(caller: &Caller, token: &str) -> Reply {
    caller.with_token(None).run_with(REFRESH, json!({ "token": token })).await
}

/// The new refresh token, of an answer that has one.
pub(super) fn refreshed(reply: &Reply) -> String {
    let token = reply.at("/data/refreshTokens/tokens/refreshToken").as_str();
    token.unwrap_or_else(|| panic!("new tokens, not {}", reply.body)).to_owned()
}

/// Whether requests of this caller are welcome; if not, they are refused as they should be.
pub(super) async fn is_welcome(caller: &Caller) -> bool {
    let reply = caller.run("{ current }").await;
    if reply.code().is_empty() {
        return reply.data()["current"].is_number();
    }
    assert_eq!((reply.status.as_u16(), reply.code()), (401, "UNAUTHENTICATED"), "{}", reply.body);
    false
}

/// The id of the caller's user.
pub(super) async fn own_id(caller: &Caller) -> String {
    caller.run("{ viewer { user { id } } }").await.data()["viewer"]["user"]["id"].as_str().expect("an id").to_owned()
}

/// What `viewer` has under these names, of an answer without errors.
pub(super) async fn viewer(caller: &Caller, fields: &str) -> Value {
    caller.run(&format!("{{ viewer {{ {fields} }} }}")).await.data()["viewer"].clone()
}

/// A caller at an address, with nothing else.
pub(super) fn stranger(test: &TestApp, address: &str) -> Caller {
    test.anonymous().at_address(address)
}
