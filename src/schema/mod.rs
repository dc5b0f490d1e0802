//! The schema: the slices' parts merged, and the road of an operation through it.
//!
//! A document is counted and parsed ([`document`]), weighed against the [`limits`], validated, and kept with
//! that verdict. For each execution its variables are coerced, and fields of one response key are merged. The parser and
//! the rules are those of the crate `documents`: those of the framework are incomplete, and run in their fast mode
//! only, which does not validate.
//!
//! **Invariant:** nothing unbounded reaches async-graphql: its own walks are exponential in nested fragments,
//! so the limits are ours, and are checked first.
//! **Invariant:** every error that leaves has a code, and a bug's text never leaves.

mod api_key;
mod description;
pub mod document;
mod document_cache;
mod errors;
mod limits;
mod loaders;
mod measure;
mod node;
mod server;
mod type_system;
mod viewer;

use std::fmt::Display;
use std::sync::Arc;

use async_graphql::{
    MergedObject, MergedSubscription, Request, SDLExportOptions, ServerError, ValidationMode, Variables,
};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use crate::accounts::graphql::{AccountsMutation, AccountsQuery, Renewal};
use crate::app::App;
use crate::caller::Caller;
use crate::config;
use crate::counters::graphql::{CountersMutation, CountersQuery, CountersSubscription};
use crate::error::{Cause, ErrorCode};
use crate::photos::graphql::{PhotosMutation, PhotosQuery, PhotosSubscription};
use crate::upload::Uploads;

pub use document::{Kind, Operation};
pub use limits::Limits;

use document::{Documents, Refused};
use loaders::Loaders;

/// Queries. A field that fails is null and has an entry in `errors`; the others keep their results.
/// Depth, size and number of fields are limited: see `server { limits }`.
#[derive(MergedObject, Default)]
pub struct Query(server::ServerQuery, viewer::ViewerQuery, AccountsQuery, CountersQuery, PhotosQuery, node::NodeQuery);

/// Mutations. The fields of an operation run one after the other. A field that fails is null and has
/// an entry in `errors`; the others run and keep their results.
#[derive(MergedObject, Default)]
pub struct Mutation(AccountsMutation, api_key::ApiKeysMutation, CountersMutation, PhotosMutation);

/// What can be listened to: over a WebSocket (`graphql-transport-ws`), or as `text/event-stream`. One field an operation.
#[derive(MergedSubscription, Default)]
pub struct Subscription(CountersSubscription, PhotosSubscription);

type Types = async_graphql::Schema<Query, Mutation, Subscription>;

/// The schema, ready to execute.
pub struct Schema {
    types: Types,
    app: Arc<App>,
    documents: Documents,
}

/// How an operation went.
pub struct Answer {
    /// What the client gets.
    pub response: async_graphql::Response,
    /// Whether the request was refused as a whole, before anything ran.
    pub refused: bool,
    /// The code of the first error, for the log and the HTTP status.
    pub code: Option<ErrorCode>,
    /// After how many seconds to try again, where nothing at all was done: the server was too busy, or there were too
    /// many attempts.
    pub retry_after_seconds: Option<u32>,
    /// The operation, with its name, of a document that is invalid; for the log.
    pub refused_operation: Option<(Kind, Option<String>)>,
}

impl Answer {
    /// A request that is refused as a whole.
    #[must_use]
    pub fn refusal(code: ErrorCode, message: impl Into<String>) -> Self {
        let response = async_graphql::Response::from_errors(vec![document::refusal(code, message.into())]);
        finish(response, false, &"")
    }

    /// Returns true if no root field has a result.
    #[must_use]
    pub fn has_no_result(&self) -> bool {
        errors::has_no_result(&self.response)
    }

    /// Returns true if the operation needed a user and had none.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        errors::has_code(&self.response.errors, ErrorCode::Unauthenticated)
    }

    /// An operation that ended in a bug of ours: the cause goes to the log.
    #[must_use]
    pub fn fault(cause: anyhow::Error, request_id: impl Display) -> Self {
        let mut error = ServerError::new("Internal error.", None);
        error.source = Some(Arc::new(Cause::new(cause)));
        finish(async_graphql::Response::from_errors(vec![error]), false, &request_id)
    }
}

impl Schema {
    /// The schema over `app`, with the limits of `config`.
    #[must_use]
    pub fn new(app: Arc<App>, config: &config::Config) -> Self {
        let limits = Limits::from(config);
        let types = builder(config.graphql.introspection)
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(limits::MAX_NESTING as usize)
            .data(limits)
            .data(app.clock.clone())
            .data(Arc::clone(&app.accounts))
            .data(Arc::clone(&app.counters))
            .data(Arc::clone(&app.photos))
            .finish();
        // Reads the types, so that the first request need not wait for it.
        _ = type_system::get();
        Self { types, documents: Documents::new(limits, config.graphql.document_cache_bytes), app }
    }

    /// Parses `query` and finds the operation to run.
    ///
    /// # Errors
    /// An answer for the client: no GraphQL, invalid, no such operation, or beyond a limit.
    pub fn prepare(&self, query: &str, operation_name: Option<&str>) -> Result<Operation, Box<Answer>> {
        self.documents.prepare(query, operation_name).map_err(|Refused { errors, operation }| {
            Box::new(Answer { refused_operation: operation, ..refused(errors, &"") })
        })
    }

    /// Runs an operation as `caller`, on the files that came with it. `request_id` is told to the client should a bug
    /// turn up.
    pub async fn execute(
        &self,
        operation: Operation,
        variables: Variables,
        caller: Caller,
        uploads: Uploads,
        request_id: impl Display,
    ) -> Answer {
        let request = match self.request(&operation, variables, caller) {
            Ok(request) => request,
            Err(errors) => return refused(errors, &request_id),
        };
        let mut response = self.types.execute(request.data(uploads)).await;
        description::describe_results(operation.valid().document(), operation.name(), &mut response);
        finish(response, operation.is_single(), &request_id)
    }

    /// Runs an operation whose answers come one by one: a subscription's as they happen, any other's once. `renewal`
    /// gets what renews the connection that asks. The caller's rights are read for each answer.
    pub fn stream(
        &self,
        operation: &Operation,
        variables: Variables,
        caller: Caller,
        renewal: Renewal,
        request_id: impl Display + Send + Sync + 'static,
    ) -> BoxStream<'static, Answer> {
        let request = match self.request(operation, variables, caller) {
            Ok(request) => request,
            Err(errors) => return stream::once(std::future::ready(refused(errors, &request_id))).boxed(),
        };
        let answers = self.types.execute_stream(request.data(renewal).data(Uploads::default()));
        let is_single = operation.is_single();
        // Only a query selects `__schema`.
        let is_query = operation.kind() == Kind::Query;
        let query = is_query.then(|| (Arc::clone(operation.valid()), operation.name().map(str::to_owned)));
        let finished = answers.map(move |mut response| {
            if let Some((valid, name)) = &query {
                description::describe_results(valid.document(), name.as_deref(), &mut response);
            }
            finish(response, is_single, &request_id)
        });
        finished.boxed()
    }

    /// The operation as the framework wants it, with its variables coerced.
    fn request(
        &self,
        operation: &Operation,
        variables: Variables,
        caller: Caller,
    ) -> Result<Request, Vec<ServerError>> {
        let variables = operation.coerce(variables)?;
        let document = operation.document_for(&variables)?;
        let mut request =
            Request::new("").variables(variables).data(caller.clone()).data(Loaders::new(&self.app, caller));
        request.operation_name = operation.name().map(str::to_owned);
        request.set_parsed_query(document);
        Ok(request)
    }
}

/// The answer to a request of which nothing was executed.
fn refused(errors: Vec<ServerError>, request_id: &dyn Display) -> Answer {
    finish(async_graphql::Response::from_errors(errors), false, request_id)
}

fn finish(mut response: async_graphql::Response, is_single: bool, request_id: &dyn Display) -> Answer {
    let refused = errors::is_refused(&response);
    if refused {
        errors::shorten(&mut response.errors);
    }
    let code = errors::stamp(&mut response.errors, request_id);
    let failed_alone = is_single && errors::has_no_result(&response);
    let retry_after_seconds = response.errors.first().filter(|_| failed_alone).and_then(errors::retry_after_seconds);
    Answer { response, refused, code, retry_after_seconds, refused_operation: None }
}

/// The schema in GraphQL's own language, as `schema.graphql` has it.
#[must_use]
pub fn sdl() -> String {
    description::describe_export(&types_sdl())
}

/// The same without the description of the schema itself, which async-graphql's parser refuses.
#[must_use]
pub fn types_sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .prefer_single_line_descriptions();
    builder(true).finish().sdl_with_options(options)
}

fn builder(introspection: bool) -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    let builder = Types::build(Query::default(), Mutation::default(), Subscription::default());
    // A schema that is hidden is not given away by "did you mean" either.
    if introspection { builder } else { builder.disable_introspection().disable_suggestions() }
}
