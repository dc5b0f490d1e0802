//! The operations that run over one connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Variables;
use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{self, BoxStream, SelectAll};

use crate::accounts::graphql::Renewal;
use crate::caller::Caller;
use crate::error::ErrorCode;
use crate::http::Server;
use crate::http::edge::RequestId;
use crate::schema::{Answer, Kind, Operation};

/// What comes of an operation next.
pub(super) enum Step {
    /// Another answer.
    Answer(Box<Answer>),
    /// There will be no more.
    Done,
}

/// The operations by the ids that the client gave them.
#[derive(Default)]
pub(super) struct Operations {
    running: HashMap<Arc<str>, AbortHandle>,
    steps: SelectAll<BoxStream<'static, (Arc<str>, Step)>>,
}

impl Operations {
    pub(super) fn has(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn start(&mut self, id: &str, answers: BoxStream<'static, Answer>) {
        let id: Arc<str> = id.into();
        let (handle, registration) = AbortHandle::new_pair();
        let steps =
            answers.map(|answer| Step::Answer(Box::new(answer))).chain(stream::once(std::future::ready(Step::Done)));
        let named = Arc::clone(&id);
        let steps = Abortable::new(steps, registration).map(move |step| (Arc::clone(&named), step));
        self.steps.push(steps.boxed());
        self.running.insert(id, handle);
    }

    /// What comes next, of whichever operation; waits for ever when there is none.
    pub(super) async fn next(&mut self) -> (Arc<str>, Step) {
        match self.steps.next().await {
            Some(step) => step,
            None => std::future::pending().await,
        }
    }

    /// Nothing more will come of it.
    pub(super) fn end(&mut self, id: &str) {
        if let Some(handle) = self.running.remove(id) {
            handle.abort();
        }
    }
}

/// Runs an operation: a subscription until it ends, any other for as long as a request may take.
pub(super) fn run(
    server: &Server,
    operation: Operation,
    variables: Variables,
    (caller, renewal): (Caller, Renewal),
    id: RequestId,
) -> BoxStream<'static, Answer> {
    let is_subscription = operation.kind() == Kind::Subscription;
    let mut answers = server.schema.stream(operation, variables, caller, renewal, id);
    if is_subscription {
        return answers;
    }
    let seconds = server.settings.request_seconds;
    let only = async move {
        let answer = tokio::time::timeout(Duration::from_secs(seconds), answers.next()).await;
        answer.ok().flatten().unwrap_or_else(|| {
            let message = format!("The operation took longer than {seconds} s; it may have taken effect.");
            Answer::refusal(ErrorCode::Unavailable, message)
        })
    };
    stream::once(only).boxed()
}
