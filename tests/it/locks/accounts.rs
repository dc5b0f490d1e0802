//! Everything that an account can do, at once: sessions, passwords, keys, counters, administrators.

use std::sync::Arc;

use super::Locks;
use crate::support::{Caller, Length, PASSWORD, Random, Reply, TestApp};
use cloakroom::accounts::user;
use cloakroom::caller::Caller as Asking;
use cloakroom::counters::{Advance, Which};

const CLIENTS: usize = 12;
const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_accounts_do_at_once_meets_no_deadlock() {
    let locks = Locks::start().await;
    let (test, mut random) = (Arc::new(locks.test), Random::seeded());
    let names = ["anna", "bob", "carla", "dora"];
    let mut ids = Vec::new();
    for name in names {
        let user = test.sign_up(name).await;
        test.promote(&user, user::Role::Admin).await;
        ids.push(user.user_id().await);
    }
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (test, random, ids) = (Arc::clone(&test), random.fork(), ids.clone());
            tokio::spawn(async move { act(&test, names[client % names.len()], &ids, random).await })
        })
        .collect();
    for client in clients {
        client.await.expect("it ends well");
    }
    let test = Arc::into_inner(test).expect("nobody else has it");
    Locks { test, ..locks }.assert_none().await;
}

/// One thing after the other. It may be refused: others do the same to the same account.
async fn act(test: &TestApp, name: &str, ids: &[String], mut random: Random) {
    let mut length = Length::rounds(ROUNDS);
    while length.goes_on() {
        let (user, refresh) = log_in(test, name).await;
        let other = &ids[usize::try_from(random.below(ids.len() as u64)).expect("an index")];
        let counter = format!("c{}", random.below(3));
        let fields = match random.below(9) {
            0 => vec![format!(r#"refreshTokens(input: {{ refreshToken: "{refresh}" }})"#)],
            1 => vec!["logout(input: { scope: ALL_SESSIONS })".to_owned()],
            2 => vec!["logout".to_owned()],
            3 => vec![format!(r#"createCounter(input: {{ name: "{counter}" }})"#)],
            4 => vec![format!(r#"deleteCounter(input: {{ name: "{counter}" }})"#)],
            5 => {
                use_api_key(test, &user).await;
                Vec::new()
            }
            6 => [("", " too"), (" too", "")].map(|(old, new)| change_password(old, new)).to_vec(),
            // Administrators are always several.
            7 => vec![format!(r#"setUserRole(input: {{ userId: "{other}", role: ADMIN }})"#)],
            _ => {
                let operator = Asking::operator();
                let advanced = test.app.counters.advance(&operator, &Which::All, Advance::By(1), |_| {}).await;
                assert!(advanced.is_ok(), "{advanced:?}");
                Vec::new()
            }
        };
        for field in fields {
            mutate(&user, &field).await;
        }
        mutate(&user, "next").await;
        assert!(test.app.accounts.write_notes().await.is_ok());
        assert!(test.app.accounts.sweep().await.is_ok());
    }
}

fn change_password(old: &str, new: &str) -> String {
    format!(r#"changePassword(input: {{ currentPassword: "{PASSWORD}{old}", newPassword: "{PASSWORD}{new}" }})"#)
}

/// Creates a key for a counter, uses it and revokes it.
async fn use_api_key(test: &TestApp, user: &Caller) {
    let mut reply = create_api_key(user, PASSWORD).await;
    if reply.at("/data/createApiKey/secret").is_null() {
        reply = create_api_key(user, &format!("{PASSWORD} too")).await;
    }
    let text = |path: &str| reply.at(&format!("/data/createApiKey/{path}")).as_str().map(str::to_owned);
    test.bearer(text("secret").as_deref()).run("mutation { next { value } }").await;
    mutate(user, &format!(r#"revokeApiKey(input: {{ apiKeyId: "{}" }})"#, text("apiKey/id").unwrap_or_default())).await;
}

async fn create_api_key(user: &Caller, password: &str) -> Reply {
    let input = format!(r#"password: "{password}", name: "key", scopes: [COUNTERS_NEXT], counter: "default""#);
    user.run(&format!("mutation {{ createApiKey(input: {{ {input} }}) {{ apiKey {{ id }} secret }} }}")).await
}

/// A session of its own, and its refresh token.
async fn log_in(test: &TestApp, name: &str) -> (Caller, String) {
    for password in [PASSWORD, &format!("{PASSWORD} too")].iter().cycle() {
        let login = format!(
            r#"mutation {{ login(input: {{ identifier: "{name}", password: "{password}" }})
               {{ tokens {{ accessToken refreshToken }} }} }}"#
        );
        let reply = test.anonymous().run(&login).await;
        let token = |which: &str| reply.at(&format!("/data/login/tokens/{which}")).as_str().map(str::to_owned);
        if let (Some(access), Some(refresh)) = (token("accessToken"), token("refreshToken")) {
            return (test.bearer(Some(&access)), refresh);
        }
    }
    unreachable!("one of the passwords is right")
}

/// It may be refused, because another client was faster, but never fails.
async fn mutate(caller: &Caller, field: &str) {
    let reply = caller.run(&format!("mutation {{ {field} {{ __typename }} }}")).await;
    let code = &reply.body["errors"][0]["extensions"]["code"];
    let is_ours = ["INTERNAL_SERVER_ERROR", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"];
    assert!(!is_ours.iter().any(|ours| code == *ours), "{field}: {}", reply.body);
}
