//! The operations that run over one connection.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_graphql::Variables;
use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{self, BoxStream, SelectAll};

use crate::accounts::graphql::Renewal;
use crate::caller::Caller;
use crate::error::ErrorCode;
use crate::http::edge::{self, RequestId};
use crate::http::memory_budget::{Charge, Overdrawn, Owner};
use crate::http::{Server, variables};
use crate::schema::{Answer, Kind, Operation};

/// What comes of an operation next.
pub(super) enum Step {
    /// Another answer.
    Answer(Box<Answer>),
    /// There will be no more.
    Done,
}

/// The answers of an operation, until it ends.
type Answers = Arc<Mutex<Option<BoxStream<'static, Answer>>>>;

/// The operations by the ids that the client gave them.
#[derive(Default)]
pub(super) struct Operations {
    running: HashMap<Arc<str>, (AbortHandle, Answers)>,
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
        let answers = Arc::new(Mutex::new(Some(answers)));
        let polled = Arc::clone(&answers);
        let steps = stream::poll_fn(move |context| match &mut *lock(&polled) {
            Some(answers) => answers.poll_next_unpin(context),
            None => Poll::Ready(None),
        });
        let steps =
            steps.map(|answer| Step::Answer(Box::new(answer))).chain(stream::once(std::future::ready(Step::Done)));
        let named = Arc::clone(&id);
        let steps = Abortable::new(steps, registration).map(move |step| (Arc::clone(&named), step));
        self.steps.push(steps.boxed());
        self.running.insert(id, (handle, answers));
    }

    /// What comes next, of whichever operation; waits for ever when there is none.
    pub(super) async fn next(&mut self) -> (Arc<str>, Step) {
        match self.steps.next().await {
            Some(step) => step,
            None => std::future::pending().await,
        }
    }

    /// Ends an operation and frees its memory at once: a client that starts and ends operations
    /// without a pause keeps the set of them from being polled.
    pub(super) fn end(&mut self, id: &str) {
        if let Some((handle, answers)) = self.running.remove(id) {
            handle.abort();
            drop(lock(&answers).take());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of memory that an operation takes besides its document (measured: 2,000 subscriptions to a
/// counter).
const OPERATION_BYTES: usize = 4096;

/// An operation and what it holds while it runs.
pub(super) struct ChargedOperation {
    operation: Operation,
    variables: Variables,
    charge: Charge,
}

impl ChargedOperation {
    /// Charges an operation, and those of the variables that it declares, to the caller, but for
    /// the first `free` bytes.
    pub(super) fn new(
        server: &Server,
        operation: Operation,
        variables: Variables,
        caller: &Caller,
        free: usize,
    ) -> Result<Self, Overdrawn> {
        let variables = operation.declared(variables);
        let values = variables::memory_bytes(&variables);
        let bytes = OPERATION_BYTES.saturating_add(operation.memory_bytes()).saturating_add(values);
        let charge = server.memory.charge(Owner::of_caller(caller), bytes.saturating_sub(free))?;
        Ok(Self { operation, variables, charge })
    }
}

/// Runs an operation: a subscription until it ends, any other for as long as a request may take.
pub(super) fn run(
    server: &Server,
    charged: ChargedOperation,
    (caller, renewal): (Caller, Renewal),
    id: RequestId,
) -> BoxStream<'static, Answer> {
    let ChargedOperation { operation, variables, charge } = charged;
    let is_subscription = operation.kind() == Kind::Subscription;
    let mut answers = caught(server.schema.stream(&operation, variables, caller, renewal, id), id);
    if is_subscription {
        return answers.inspect(move |_| _ = &charge).boxed();
    }
    let seconds = server.settings.request_seconds;
    let only = async move {
        let _charge = charge;
        let answer = tokio::time::timeout(Duration::from_secs(seconds), answers.next()).await;
        answer.ok().flatten().unwrap_or_else(|| {
            let message = format!("The operation took longer than {seconds} s; it may have taken effect.");
            Answer::refusal(ErrorCode::Unavailable, message)
        })
    };
    stream::once(only).boxed()
}

/// A panic is a bug like any other, and ends the operation that it is of, not the connection with all of them.
fn caught(answers: BoxStream<'static, Answer>, id: RequestId) -> BoxStream<'static, Answer> {
    let answers = AssertUnwindSafe(answers).catch_unwind();
    answers.map(move |answer| answer.unwrap_or_else(|panic| Answer::fault(edge::cause_of(&*panic), id))).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_operation_and_tells_the_client_nothing() {
        let id = RequestId::next();
        let answers = stream::iter([1, 2, 3]).map(|number| {
            assert_ne!(number, 2, "the secret is 42");
            Answer::refusal(ErrorCode::NotFound, number.to_string())
        });
        let answers: Vec<Answer> = caught(answers.boxed(), id).collect().await;
        let codes: Vec<_> = answers.iter().map(|answer| answer.code).collect();
        assert_eq!(codes, [Some(ErrorCode::NotFound), Some(ErrorCode::InternalServerError)]);
        let errors = serde_json::to_value(&answers[1].response.errors).expect("JSON");
        let extensions = serde_json::json!({ "code": "INTERNAL_SERVER_ERROR", "requestId": id.to_string() });
        assert_eq!(errors, serde_json::json!([{ "message": "Internal error.", "extensions": extensions }]));
        assert!(answers[1].refused, "the last message of a socket's operation");
    }
}
