//! Variables and extensions: the number of their values, and the memory that they take.

use serde_json::{Value, json};

use super::{get, post_json};
use crate::live::Socket;
use crate::support::{Caller, Form, Listening, Process, Reply, TestApp};

/// The limit, which the message names.
const MAX_VALUES: usize = 10_000;

/// An object with a list, so many values together.
fn numbers(values: usize) -> Value {
    json!({ "x": vec![0; values - 1] })
}

/// Asks for a number with these variables and extensions, in a body, in a URL, in a form, and over
/// a WebSocket.
async fn ask_everywhere(server: &Listening, user: &Caller, variables: &Value, extensions: &Value) -> Vec<Reply> {
    let query = "mutation { next { value } }";
    let request = json!({ "query": query, "variables": variables, "extensions": extensions });
    let form = Form::default().part("operations", request.to_string()).part("map", "{}");
    let in_url = |object: &Value| object.to_string().replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
    let url = format!("/graphql?query=%7Bcurrent%7D&variables={}&extensions={}", in_url(variables), in_url(extensions));
    let mut socket = Socket::open(server.address).await;
    socket.init(user.token.as_deref()).await;
    socket.say(&json!({ "id": "a", "type": "subscribe", "payload": request })).await;
    let message = socket.hear().await.expect("a message, not a close");
    let over_socket = match &message["type"] {
        Value::String(kind) if kind == "error" => json!({ "errors": message["payload"] }),
        _ => message["payload"].clone(),
    };
    let body = user.send(post_json(request.to_string())).await;
    let over_socket = Reply { body: over_socket, ..body.clone() };
    vec![body, user.send(get(&url, &[])).await, user.upload(form).await, over_socket]
}

#[tokio::test]
async fn their_number_has_a_limit_wherever_they_come_from() {
    // A URL is part of the head, which is shorter than that by default.
    let test = TestApp::with_config(|config| config.http.max_header_bytes = 1 << 20).await;
    let user = test.sign_up("anna").await;
    let server = Listening::start(&test).await;
    let (none, fits, too_many) = (json!({}), numbers(MAX_VALUES), numbers(MAX_VALUES + 1));
    for (name, variables, extensions) in [("variables", &too_many, &none), ("extensions", &none, &too_many)] {
        for (place, reply) in ask_everywhere(&server, &user, variables, extensions).await.iter().enumerate() {
            assert_eq!(reply.code(), "BAD_USER_INPUT", "{name}, {place}: {}", reply.body);
            let message = reply.at("/errors/0/message").to_string();
            assert!(message.contains(name) && message.contains("10000"), "{message}");
            assert!(reply.body.get("data").is_none(), "{}", reply.body);
        }
    }
    assert_eq!(user.next().await, 1, "nothing was executed");
    for reply in ask_everywhere(&server, &user, &fits, &fits).await {
        assert!(reply.data().is_object(), "variables that are not declared are ignored");
    }
}

#[tokio::test]
async fn a_subscription_keeps_none_that_it_does_not_declare() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(folder.path(), |_| {});
    let token = server.sign_up("anna").await;
    let mut socket = Socket::open(server.address).await;
    socket.init(Some(&token)).await;
    // Objects take the most memory.
    let junk = json!({ "x": vec![json!({ "": 0 }); MAX_VALUES / 2 - 1] });
    let mut start = async |id: String| {
        let payload = json!({ "query": "subscription { current }", "variables": junk });
        socket.say(&json!({ "id": id, "type": "subscribe", "payload": payload })).await;
        socket.answer(&id).await;
    };
    // Memory that is needed once, while they are read.
    for id in 0..5 {
        start(id.to_string()).await;
    }
    let before = server.resident_kb();
    for id in 5..55 {
        start(id.to_string()).await;
    }
    let more = server.resident_kb().saturating_sub(before);
    // Kept, they would take 100 MB.
    assert!(more < 20_000, "{more} kB for 50 subscriptions");
}

#[tokio::test]
async fn a_subscription_that_keeps_much_is_charged_for_it() {
    let test = TestApp::with_config(|config| config.http.max_buffered_bytes = 1 << 20).await;
    let (user, other) = (test.sign_up("anna").await, test.sign_up("bert").await);
    let server = Listening::start(&test).await;
    // The document, which is kept as long as the subscription.
    let query = format!("subscription {{ current }} # {}", "x".repeat(20_000));
    let open = async |user: &Caller| {
        let mut socket = Socket::open(server.address).await;
        socket.init(user.token.as_deref()).await;
        socket
    };
    let mut socket = open(&user).await;
    for id in 0..3 {
        socket.subscribe(&id.to_string(), &query).await;
        socket.answer(&id.to_string()).await;
    }
    // Those that have ended are not charged any more, however fast they come and go.
    for _ in 0..20 {
        socket.complete("2").await;
        socket.subscribe("2", &query).await;
    }
    socket.subscribe("last", &query).await;
    while socket.hear().await.expect("no close")["id"] != "last" {}
    for id in 3..10 {
        socket.subscribe(&id.to_string(), &query).await;
    }
    assert_eq!(socket.closed().await, 1013, "a quarter of the budget is used up");
    let events = user.listen_to(json!({ "query": query }).to_string()).await;
    assert_eq!(events.data()["current"], 0, "the end of the socket has given it back");
    let mut socket = open(&other).await;
    socket.subscribe("a", &query).await;
    socket.answer("a").await;
}
