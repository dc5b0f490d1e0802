//! One WebSocket: `graphql-transport-ws` from the upgrade to the close.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::Variables;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::accounts::graphql::Renewal;
use crate::caller::{Caller, Identity, Origin};
use crate::error::ErrorCode;
use crate::http::Server;
use crate::http::callers::Place;
use crate::http::edge::RequestId;
use crate::http::live::acting::{self, Acting};
use crate::http::live::handshake::Connected;
use crate::http::live::operations::{self, ChargedOperation, Step};
use crate::http::live::protocol::{Ending, FromClient, ToClient};
use crate::http::live::{self, Operations};
use crate::http::memory_budget::{Charge, FREE_BYTES, Overdrawn, Owner};
use crate::http::operation_log::OperationLog;
use crate::http::parameters::Parameters;
use crate::http::response::Envelope;
use crate::http::serve::Connection;
use crate::schema::{Answer, Operation};

/// How long the other side may take to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A WebSocket and what runs over it.
pub(super) struct Socket {
    server: Arc<Server>,
    socket: Connected,
    /// For the message that is being sent.
    sent: Charge,
    origin: Origin,
    /// The token in the upgrade's header, for who can send one there.
    header_token: Option<String>,
    connection: Option<Connection>,
    /// Its place until `connection_init`.
    waiting: Option<Place>,
    acting: Option<Acting>,
    operations: Operations,
    renewal: Renewal,
    opened_at: Instant,
    ping_at: Instant,
    /// Whether the other side has shown no sign of life since the last ping.
    silent: bool,
    /// True if the client may still be sending a message that was refused.
    is_unreadable: bool,
}

impl Socket {
    pub(super) fn new(
        server: Arc<Server>,
        socket: Connected,
        origin: Origin,
        header_token: Option<String>,
        (connection, waiting): (Option<Connection>, Place),
    ) -> Self {
        let now = Instant::now();
        let ping_at = now + Duration::from_secs(server.live.settings.ping_seconds);
        Self {
            sent: server.memory.open(Owner::of_origin(&origin)),
            server,
            socket,
            origin,
            header_token,
            connection,
            waiting: Some(waiting),
            acting: None,
            operations: Operations::default(),
            renewal: Renewal::default(),
            opened_at: now,
            ping_at,
            silent: false,
            is_unreadable: false,
        }
    }

    /// Serves it to its end. `is_offered`: whether the client has offered the subprotocol.
    pub(super) async fn serve(mut self, is_offered: bool) {
        let ending = if is_offered { self.talk().await.err() } else { Some(Ending::NO_SUBPROTOCOL) };
        // What still ran ends before the close is sent.
        self.operations = Operations::default();
        self.acting = None;
        if let Some(ending) = ending {
            tracing::debug!(code = ending.code, reason = &*ending.reason, "a socket is closed");
            drop(tokio::time::timeout(CLOSE_TIMEOUT, self.close(ending)).await);
        }
    }

    /// Until one side ends it; `Ok` when the client has.
    async fn talk(&mut self) -> Result<(), Ending> {
        loop {
            let deadline = self.deadline();
            // In this order: who may no longer act gets nothing more, however much there is.
            tokio::select! {
                biased;
                ending = called_off(self.acting.as_mut(), &mut self.connection) => return Err(ending),
                () = tokio::time::sleep_until(deadline.into()) => self.look_at_the_clock().await?,
                message = self.socket.next() => match message {
                    Some(Ok(message)) => {
                        self.receive(message).await?;
                        self.socket.get_mut().settle();
                    }
                    Some(Err(error)) => {
                        self.is_unreadable = true;
                        return Err(Ending::unreadable(&error));
                    }
                    None => return Ok(()),
                },
                (id, step) = self.operations.next() => self.pass_on(&id, step).await?,
            }
        }
    }

    /// When something is to be done even if nothing happens.
    fn deadline(&self) -> Instant {
        let init = self.opened_at + Duration::from_secs(self.server.live.settings.init_seconds);
        match &self.acting {
            None => init.min(self.ping_at),
            Some(acting) => acting.warn_at.map_or(self.ping_at, |at| at.min(self.ping_at)),
        }
    }

    async fn look_at_the_clock(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        let init_seconds = self.server.live.settings.init_seconds;
        match &mut self.acting {
            None if now >= self.opened_at + Duration::from_secs(init_seconds) => return Err(Ending::INIT_TIMEOUT),
            Some(acting) if acting.warn_at.is_some_and(|at| now >= at) => {
                acting.warn_at = None;
                let warning = Some("The token expires soon: send refreshTokens over this socket.");
                if let Some(payload) = acting.expiry(warning) {
                    self.send(&ToClient::Ping { payload }).await?;
                }
            }
            _ => {}
        }
        if now >= self.ping_at {
            if std::mem::replace(&mut self.silent, true) {
                return Err(Ending::SILENT);
            }
            self.ping_at = now + Duration::from_secs(self.server.live.settings.ping_seconds);
            self.transmit(Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, message: Message) -> Result<(), Ending> {
        self.silent = false;
        let text = match message {
            Message::Text(text) => text,
            // The library answers pings, and closes.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(()),
            Message::Binary(_) | Message::Frame(_) => return Err(Ending::BINARY),
        };
        match FromClient::parse(&text)? {
            FromClient::ConnectionInit { .. } if self.acting.is_some() => Err(Ending::TOO_MANY_INITS),
            FromClient::ConnectionInit { payload } => self.begin(payload).await,
            FromClient::Ping { payload } => self.send(&ToClient::Pong { payload }).await,
            FromClient::Pong => Ok(()),
            FromClient::Subscribe { .. } if self.acting.is_none() => Err(Ending::UNAUTHORIZED),
            FromClient::Subscribe { id, .. } if self.operations.has(&id) => Err(Ending::duplicate(&id)),
            FromClient::Subscribe { id, payload } => self.start(&id, payload).await,
            FromClient::Complete { id } => {
                self.operations.end(&id);
                Ok(())
            }
        }
    }

    /// `connection_init`: as whom the socket acts.
    async fn begin(&mut self, payload: Map<String, Value>) -> Result<(), Ending> {
        let token = acting::token_in(payload)?.or_else(|| self.header_token.take());
        let acting = Acting::begin(&self.server, self.caller(Identity::Anonymous), token).await?;
        self.waiting = None;
        let payload = acting.expiry(None);
        self.sent = self.server.memory.open(acting.owner);
        let charge = self.server.memory.open(acting.owner);
        self.socket.get_mut().allow(self.server.settings.max_body_bytes, charge);
        self.acting = Some(acting);
        self.send(&ToClient::ConnectionAck { payload }).await
    }

    /// `subscribe`: another operation.
    async fn start(&mut self, id: &str, parameters: Result<Parameters, String>) -> Result<(), Ending> {
        let request_id = RequestId::next();
        let mut log = OperationLog::start(request_id);
        let most = self.server.live.settings.max_operations;
        if self.operations.len() >= most {
            log.refused(ErrorCode::RateLimited);
            let message = format!("At most {most} operations run at once over one socket.");
            return self.refuse(id, &Answer::refusal(ErrorCode::RateLimited, message)).await;
        }
        let prepared = match parameters {
            Ok(parameters) => self.prepare(parameters),
            Err(message) => Err(Box::new(Answer::refusal(ErrorCode::BadUserInput, message))),
        };
        let (operation, variables) = match prepared {
            Ok(prepared) => prepared,
            Err(answer) => {
                log.answered(&answer);
                return self.refuse(id, &answer).await;
            }
        };
        log.describe(&operation);
        let token = self.acting.as_ref().and_then(|acting| acting.token.as_deref());
        let identity = match token {
            // Again: what concerns the user may have changed since.
            Some(token) => self.server.app.accounts.authenticate(token).await.map_err(Ending::of_error)?,
            None => Identity::Anonymous,
        };
        let caller = self.caller(identity);
        // One for each connection: `server.max_connections` bounds their number.
        let free = if self.operations.len() == 0 { FREE_BYTES } else { 0 };
        let Ok(charged) = ChargedOperation::new(&self.server, operation, variables, &caller, free) else {
            log.refused(ErrorCode::Unavailable);
            return Err(Ending::BUSY);
        };
        let renewal = self.renewal.clone();
        let answers = operations::run(&self.server, charged, (caller, renewal), request_id);
        let logged = answers.inspect(move |answer| log.answered(answer));
        self.operations.start(id, logged.boxed());
        Ok(())
    }

    /// The operation that these parameters ask for, with the variables that it declares.
    fn prepare(&self, parameters: Parameters) -> Result<(Operation, Variables), Box<Answer>> {
        let operation = self.server.schema.prepare(&parameters.query, parameters.operation_name())?;
        let variables = operation.declared(parameters.variables);
        Ok((operation, variables))
    }

    /// What an operation has to say.
    async fn pass_on(&mut self, id: &str, step: Step) -> Result<(), Ending> {
        match step {
            Step::Answer(answer) if answer.refused => {
                self.operations.end(id);
                self.refuse(id, &answer).await
            }
            Step::Answer(answer) => {
                let renewed = match (&mut self.acting, self.renewal.take()) {
                    (Some(acting), Some(token)) => acting.renew(&self.server, token).await,
                    _ => Ok(()),
                };
                // In any case: the old tokens may be good no more, and nothing else has the new ones.
                self.send(&ToClient::Next { id, payload: Envelope(&answer) }).await?;
                renewed
            }
            Step::Done => {
                self.operations.end(id);
                self.send(&ToClient::Complete { id }).await
            }
        }
    }

    async fn refuse(&mut self, id: &str, answer: &Answer) -> Result<(), Ending> {
        self.send(&ToClient::Error { id, payload: &answer.response.errors }).await
    }

    /// Sends a message, which is charged until the client has taken it. A long one goes out in
    /// pieces: the library keeps a buffer of the longest frame for as long as the socket is open.
    async fn send(&mut self, message: &ToClient<'_>) -> Result<(), Ending> {
        let text = serde_json::to_string(message).map_err(|_| Ending::FAULT)?;
        if text.len() <= FREE_BYTES {
            return self.transmit(Message::Text(text.into())).await;
        }
        self.sent.resize(text.len()).map_err(|Overdrawn| Ending::BUSY)?;
        let mut rest = Bytes::from(text);
        let mut kind = Data::Text;
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(FREE_BYTES));
            self.transmit(Message::Frame(Frame::message(piece, OpCode::Data(kind), rest.is_empty()))).await?;
            kind = Data::Continue;
        }
        self.sent.release();
        Ok(())
    }

    /// Waits for a client that does not read, but no longer than the socket may be open.
    async fn transmit(&mut self, message: Message) -> Result<(), Ending> {
        tokio::select! {
            biased;
            sent = self.socket.send(message) => sent.map_err(|_| Ending::NORMAL),
            ending = called_off(self.acting.as_mut(), &mut self.connection) => Err(ending),
        }
    }

    /// Closes the socket. The rest of a refused message is read and dropped for a while: if the
    /// server hung up on it, TCP would discard the close frame too.
    async fn close(&mut self, ending: Ending) {
        let frame = CloseFrame { code: ending.code.into(), reason: ending.reason.as_ref().into() };
        if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
            if self.is_unreadable {
                self.socket.get_mut().discard().await;
            }
        }
    }

    fn caller(&self, identity: Identity) -> Caller {
        Caller { identity, origin: self.origin.clone(), idempotency_key: None }
    }
}

/// Waits until a socket must end, whatever its client does.
async fn called_off(acting: Option<&mut Acting>, connection: &mut Option<Connection>) -> Ending {
    let (standing, expires_at) = match acting {
        Some(acting) => (acting.standing.as_mut(), acting.expires_at),
        None => (None, None),
    };
    tokio::select! {
        biased;
        () = live::over(standing) => Ending::ENDED,
        () = live::at(expires_at) => Ending::EXPIRED,
        () = live::stopping(connection) => Ending::STOPPING,
    }
}
