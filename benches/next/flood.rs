//! A flood of logins: connections that sign in again as soon as they are answered.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    accounts::{password_of, username_of},
    connection::Connection,
    operation::post,
    sample::Sample,
    server::Server,
};

/// As many as wait in the queue by default: each is hashed, none refused.
pub(crate) const CONNECTIONS: usize = 64;

/// Who signs in.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    /// The first user, with the right password: each login writes a session.
    Known,
    /// Every other one is nobody.
    KnownAndUnknown,
}

/// A flood that goes on until it is told to end.
pub(crate) struct Flood {
    clients: JoinSet<anyhow::Result<()>>,
    answered: Rc<Cell<u64>>,
    over: Rc<Cell<bool>>,
}

impl Flood {
    /// Begins on this thread's `LocalSet`.
    pub(crate) async fn begin(server: &Server, who: Who) -> anyhow::Result<Self> {
        let mut flood = Self { clients: JoinSet::new(), answered: Rc::default(), over: Rc::default() };
        for number in 0..CONNECTIONS {
            let unknown = matches!(who, Who::KnownAndUnknown) && number % 2 == 1;
            let user = if unknown { "nobody".to_owned() } else { username_of(0) };
            let query = "mutation ($user: String!, $password: String!) { login(input: {identifier: $user, \
                password: $password}) { user { username } userErrors { code } } }";
            let variables = json!({ "user": user, "password": password_of(0) });
            let request = post(server.address, "", &json!({ "query": query, "variables": variables }).to_string());
            let answer = if unknown {
                r#"{"data":{"login":{"user":null,"userErrors":[{"code":"WRONG_CREDENTIALS"}]}}}"#.to_owned()
            } else {
                format!(r#"{{"data":{{"login":{{"user":{{"username":"{user}"}},"userErrors":[]}}}}}}"#)
            };
            let connection = Connection::open(server.address).await?;
            let (answered, over) = (Rc::clone(&flood.answered), Rc::clone(&flood.over));
            flood.clients.spawn_local(client(connection, request, answer, answered, over));
        }
        Ok(flood)
    }

    /// Logins so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.get()
    }

    /// Waits for what is in flight.
    pub(crate) async fn end(mut self) -> anyhow::Result<u64> {
        self.over.set(true);
        while let Some(client) = self.clients.join_next().await {
            client??;
        }
        Ok(self.answered.get())
    }
}

/// How often something happened.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) a_second: f64,
    /// Second of the processor time that the process used for it: who else runs on the machine counts less.
    pub(crate) a_processor_second: f64,
}

impl Rate {
    pub(crate) fn of(count: u64, elapsed: Duration, processor: Duration) -> Self {
        let count = count as f64;
        Self { a_second: count / elapsed.as_secs_f64(), a_processor_second: count / processor.as_secs_f64() }
    }

    pub(crate) fn of_next(sample: &Sample) -> Self {
        Self { a_second: sample.requests_per_second, a_processor_second: 1e6 / sample.processor_microseconds }
    }
}

/// Logins from the first request to the last answer.
pub(crate) async fn rate(server: &Server, who: Who, duration: Duration) -> anyhow::Result<Rate> {
    let (begun, processor) = (Instant::now(), server.processor_time()?);
    let flood = Flood::begin(server, who).await?;
    tokio::time::sleep(duration).await;
    let answered = flood.end().await?;
    Ok(Rate::of(answered, begun.elapsed(), server.processor_time()?.saturating_sub(processor)))
}

async fn client(
    mut connection: Connection,
    request: Vec<u8>,
    expected: String,
    answered: Rc<Cell<u64>>,
    over: Rc<Cell<bool>>,
) -> anyhow::Result<()> {
    while !over.get() {
        let answer = connection.ask(&request).await.context("a login was not answered")?;
        let body = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 200 && body == expected, "unexpected answer to login: {} {body}", answer.status);
        answered.set(answered.get() + 1);
    }
    Ok(())
}
