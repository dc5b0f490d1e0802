//! The schema: the slices' parts merged, and the road of an operation through it.
//!
//! A document is counted and parsed ([`document`]), weighed against the [`limits`], and executed. The parser
//! is half of GraphQL's cost, so documents that were found valid are kept parsed, and are not validated
//! again: there are two schemas of the same types, a strict one for what is new and a fast one for the rest.
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
mod node;
mod root;
mod server;
mod viewer;

use std::fmt::Display;
use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, Request, SDLExportOptions, ValidationMode, Variables};
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

use document::Documents;
use loaders::Loaders;
use root::{RepeatedFields, Root};

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

type Types = async_graphql::Schema<Root<Query>, Root<Mutation>, Subscription>;

/// The schema, ready to execute.
pub struct Schema {
    strict: Types,
    fast: Types,
    app: Arc<App>,
    documents: Arc<Documents>,
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
        let mut error = async_graphql::ServerError::new("Internal error.", None);
        error.source = Some(Arc::new(Cause::new(cause)));
        finish(async_graphql::Response::from_errors(vec![error]), false, &request_id)
    }
}

impl Schema {
    /// The schema over `app`, with the limits of `config`.
    #[must_use]
    pub fn new(app: Arc<App>, config: &config::Config) -> Self {
        let limits = Limits::from(config);
        let build = |mode| {
            builder(config.graphql.introspection)
                .validation_mode(mode)
                .limit_recursive_depth(limits::MAX_NESTING as usize)
                .data(limits)
                .data(app.clock.clone())
                .data(Arc::clone(&app.accounts))
                .data(Arc::clone(&app.counters))
                .data(Arc::clone(&app.photos))
                .finish()
        };
        Self {
            strict: build(ValidationMode::Strict),
            fast: build(ValidationMode::Fast),
            documents: Arc::new(Documents::new(limits, config.graphql.document_cache_bytes)),
            app,
        }
    }

    /// Parses `query` and finds the operation to run.
    ///
    /// # Errors
    /// An answer for the client: no GraphQL, no such operation, or beyond a limit.
    pub fn prepare(&self, query: &str, operation_name: Option<&str>) -> Result<Operation, Box<Answer>> {
        self.documents.prepare(query, operation_name).map_err(|error| {
            let response = async_graphql::Response::from_errors(vec![error]);
            Box::new(finish(response, false, &""))
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
        if let Err(error) = operation.require(&variables) {
            return finish(async_graphql::Response::from_errors(vec![error]), false, &request_id);
        }
        let (types, request) = self.request(&operation, variables, caller);
        let mut response = types.execute(request.data(uploads)).await;
        description::describe_results(operation.document(), operation.name(), &mut response);
        let answer = finish(response, operation.is_single(), &request_id);
        if !answer.refused {
            self.documents.keep(operation);
        }
        answer
    }

    /// Runs an operation whose answers come one by one: a subscription's as they happen, any other's once. `renewal`
    /// gets what renews the connection that asks. The caller's rights are read for each answer.
    pub fn stream(
        &self,
        operation: Operation,
        variables: Variables,
        caller: Caller,
        renewal: Renewal,
        request_id: impl Display + Send + Sync + 'static,
    ) -> BoxStream<'static, Answer> {
        let refuse = |answer| stream::once(std::future::ready(answer)).boxed();
        if let Err(error) = operation.require(&variables) {
            return refuse(finish(async_graphql::Response::from_errors(vec![error]), false, &request_id));
        }
        if operation.kind() == Kind::Subscription && !operation.has_one_source() {
            // Through a fragment the framework would find no field at all.
            let message = "A subscription has one field, with no fragment around it, and no condition.";
            return refuse(Answer::refusal(ErrorCode::GraphqlValidationFailed, message));
        }
        let (types, request) = self.request(&operation, variables, caller);
        let answers = types.execute_stream(request.data(renewal).data(Uploads::default()));
        let (documents, is_single) = (Arc::clone(&self.documents), operation.is_single());
        let mut operation = Some(operation);
        let finished = answers.map(move |mut response| {
            if let Some(first) = &operation {
                description::describe_results(first.document(), first.name(), &mut response);
            }
            let answer = finish(response, is_single, &request_id);
            if let Some(valid) = operation.take().filter(|_| !answer.refused) {
                documents.keep(valid);
            }
            answer
        });
        finished.boxed()
    }

    /// The operation as the framework wants it, and which of the two schemas is to run it.
    fn request(&self, operation: &Operation, variables: Variables, caller: Caller) -> (&Types, Request) {
        let mut request = Request::new("")
            .variables(variables)
            .data(caller.clone())
            .data(Loaders::new(&self.app, caller))
            .data(RepeatedFields::default());
        request.operation_name = operation.name().map(str::to_owned);
        // Variables' values are checked by the strict schema alone.
        let fast = operation.is_known_valid() && request.variables.is_empty();
        request.set_parsed_query(operation.document().clone());
        (if fast { &self.fast } else { &self.strict }, request)
    }
}

fn finish(mut response: async_graphql::Response, is_single: bool, request_id: &dyn Display) -> Answer {
    let refused = errors::is_refused(&response);
    if refused {
        errors::shorten(&mut response.errors);
    }
    let code = errors::stamp(&mut response.errors, request_id);
    let failed_alone = is_single && errors::has_no_result(&response);
    let retry_after_seconds = response.errors.first().filter(|_| failed_alone).and_then(errors::retry_after_seconds);
    Answer { response, refused, code, retry_after_seconds }
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

fn builder(introspection: bool) -> async_graphql::SchemaBuilder<Root<Query>, Root<Mutation>, Subscription> {
    let builder = Types::build(Root::default(), Root::default(), Subscription::default());
    // A schema that is hidden is not given away by "did you mean" either.
    if introspection { builder } else { builder.disable_introspection().disable_suggestions() }
}
