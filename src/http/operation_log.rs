//! One line an operation in the log.

use std::time::Instant;

use crate::error::ErrorCode;
use crate::http::edge::RequestId;
use crate::schema::{Answer, Kind, Operation};

/// Characters of an operation's name.
const MAX_NAME_CHARS: usize = 64;

/// The line of one operation, written when this is dropped: also for one that is given up.
pub(super) struct OperationLog {
    id: RequestId,
    started: Instant,
    kind: &'static str,
    name: String,
    outcome: &'static str,
}

impl OperationLog {
    pub(super) fn start(id: RequestId) -> Self {
        Self { id, started: Instant::now(), kind: "none", name: String::new(), outcome: "ABANDONED" }
    }

    /// What the client asks for. Names are its own, and GraphQL allows only letters, digits and `_` in them.
    pub(super) fn describe(&mut self, operation: &Operation) {
        self.describe_as(operation.kind(), operation.name());
    }

    fn describe_as(&mut self, kind: Kind, name: Option<&str>) {
        self.kind = match kind {
            Kind::Query => "query",
            Kind::Mutation => "mutation",
            Kind::Subscription => "subscription",
        };
        let name = name.unwrap_or_default();
        name.get(..MAX_NAME_CHARS).unwrap_or(name).clone_into(&mut self.name);
    }

    pub(super) fn refused(&mut self, code: ErrorCode) {
        self.outcome = code.name();
    }

    pub(super) fn answered(&mut self, answer: &Answer) {
        self.outcome = answer.code.map_or("OK", ErrorCode::name);
        if let Some((kind, name)) = &answer.refused_operation {
            self.describe_as(*kind, name.as_deref());
        }
    }
}

impl Drop for OperationLog {
    fn drop(&mut self) {
        let Self { id, started, kind, name, outcome } = self;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(request_id = %id, kind, name, outcome, micros, "operation");
    }
}
