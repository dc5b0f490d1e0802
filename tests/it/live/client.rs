//! A client of `graphql-transport-ws` that says what it is told to, be it wrong.

use std::net::SocketAddr;
use std::time::Instant;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Message, client::ClientRequestBuilder};

use crate::support::PATIENCE;

/// The subprotocol.
pub const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

/// A WebSocket.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// Opens a socket with the subprotocol.
    pub async fn open(address: SocketAddr) -> Self {
        Self::open_with(address, &[PROTOCOL]).await.expect("the upgrade succeeds")
    }

    /// Opens a socket with these headers, or says with which status and body that was refused.
    pub async fn open_with(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, (u16, String)> {
        let uri = format!("ws://{address}/graphql").parse().expect("an address");
        let mut request = ClientRequestBuilder::new(uri).into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        let stream = TcpStream::connect(address).await.expect("a connection");
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((stream, _)) => Ok(Self { stream }),
            // Without a subprotocol the client is content with what the server does.
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
            }
            Err(error) => panic!("the upgrade ended with {error}"),
        }
    }

    /// Sends any message.
    pub async fn send(&mut self, message: Message) {
        drop(self.stream.send(message).await);
    }

    /// Sends a message of the subprotocol.
    pub async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// Sends `connection_init` with this token, and returns the payload of the acknowledgement.
    pub async fn init(&mut self, token: Option<&str>) -> Value {
        self.ask_to_begin(token).await;
        let ack = self.hear().await.expect("an acknowledgement");
        assert_eq!(ack["type"], "connection_ack", "{ack}");
        ack["payload"].clone()
    }

    /// Sends `connection_init` with this token.
    pub async fn ask_to_begin(&mut self, token: Option<&str>) {
        let payload = token.map(|token| json!({ "Authorization": format!("Bearer {token}") }));
        self.say(&json!({ "type": "connection_init", "payload": payload })).await;
    }

    /// Begins an operation.
    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(&json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    /// Ends an operation.
    pub async fn complete(&mut self, id: &str) {
        self.say(&json!({ "id": id, "type": "complete" })).await;
    }

    /// The next message of the subprotocol, or the code and reason of the close; 1006 where the server just hangs up.
    pub async fn hear(&mut self) -> Result<Value, (u16, String)> {
        loop {
            match self.receive().await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(text.as_str()).unwrap_or_else(|_| panic!("JSON, not {text}")));
                }
                Some(Ok(Message::Close(Some(frame)))) => return Err((frame.code.into(), frame.reason.to_string())),
                Some(Ok(Message::Close(None))) => return Err((1005, String::new())),
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Err((1006, String::new())),
            }
        }
    }

    /// The next message of any kind. A ping is answered when the next one is waited for.
    pub async fn receive(&mut self) -> Option<Result<Message, Error>> {
        timeout(PATIENCE, self.stream.next()).await.expect("a message or the end")
    }

    /// The payload of the next message, which is a `next` of this operation.
    pub async fn answer(&mut self, id: &str) -> Value {
        let mut message = self.hear().await.expect("a message");
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!(id)), "{message}");
        message["payload"].take()
    }

    /// The payload of the next message, which is an `error` of this operation.
    pub async fn error(&mut self, id: &str) -> Value {
        let mut message = self.hear().await.expect("a message");
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
        message["payload"].take()
    }

    /// Asserts that this operation is complete, and that nothing came before.
    pub async fn completed(&mut self, id: &str) {
        let message = self.hear().await.expect("a message");
        assert_eq!(message, json!({ "type": "complete", "id": id }));
    }

    /// Runs an operation to its end, and returns its one answer.
    pub async fn run(&mut self, id: &str, query: &str) -> Value {
        self.subscribe(id, query).await;
        let answer = self.answer(id).await;
        self.completed(id).await;
        answer
    }

    /// The code of the close; what comes before is passed over.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Err((code, _)) = self.hear().await {
                return code;
            }
        }
    }

    /// Asserts that nothing is on its way: what is asked last is answered first.
    pub async fn is_quiet(&mut self) {
        let echo = json!({ "asked": uuid::Uuid::now_v7() });
        self.say(&json!({ "type": "ping", "payload": echo })).await;
        assert_eq!(self.hear().await, Ok(json!({ "type": "pong", "payload": echo })));
    }

    /// Hears the answers of this operation until one is as it is hoped for; how many there were.
    pub async fn hear_until(&mut self, id: &str, hoped: impl Fn(&Value) -> bool) -> usize {
        let began = Instant::now();
        let mut heard = 1;
        while !hoped(&self.answer(id).await) {
            heard += 1;
            assert!(began.elapsed() < PATIENCE, "{heard} other answers came");
        }
        heard
    }
}
