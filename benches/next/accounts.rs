//! The product's users: they sign up through the API like everybody else.

use anyhow::Context;
use serde_json::{Value, json};

use crate::{
    connection::Connection,
    machine::progress,
    operation::{post, require_ok},
    server::Server,
};

/// Signs up `users` users, one after the other, and returns their access tokens.
pub(crate) async fn sign_up(server: &Server, users: usize) -> anyhow::Result<Vec<String>> {
    let mut connection = Connection::open(server.address).await?;
    let mut tokens = Vec::with_capacity(users);
    for user in 0..users {
        let request = post(server.address, "", &sign_up_of(user));
        let answer = connection.ask(&request).await?;
        require_ok(answer.status, answer.body)?;
        let body: Value = serde_json::from_slice(answer.body)?;
        let token = body.pointer("/data/signUp/tokens/accessToken").and_then(Value::as_str);
        tokens.push(token.with_context(|| format!("unexpected answer to signUp: {body}"))?.to_owned());
        if tokens.len() % 250 == 0 {
            progress(&format!("{} of {users} users signed up", tokens.len()))?;
        }
    }
    Ok(tokens)
}

pub(crate) fn username_of(user: usize) -> String {
    format!("bench{user:05}")
}

pub(crate) fn password_of(user: usize) -> String {
    format!("a quiet shelf in the cloakroom {user:05}")
}

fn sign_up_of(user: usize) -> String {
    let (username, password) = (username_of(user), password_of(user));
    let query = format!(
        r#"mutation {{ signUp(input: {{username: "{username}", password: "{password}"}}) {{ tokens {{ accessToken }} userErrors {{ code message }} }} }}"#
    );
    json!({ "query": query }).to_string()
}
