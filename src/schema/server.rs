//! `hello` and `server`: what the server says of itself, to anybody.

use async_graphql::resolver_utils::EnumType as _;
use async_graphql::{Context, Object};

use crate::clock::Clock;
use crate::counters::MAX_COUNT;
use crate::error::ErrorCode;
use crate::page;
use crate::photos;
use crate::scalars::{DateTime, SafeInt};
use crate::schema::limits::{Limits, MAX_INTROSPECTION_LISTS, MAX_NAME_BYTES, MAX_NESTING, MAX_NODES};

/// The server.
pub(super) struct Server;

/// The server.
#[Object]
impl Server {
    /// The version that is running.
    async fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
    /// What time it is there: tokens are made and checked by this clock.
    async fn time(&self, ctx: &Context<'_>) -> DateTime {
        ctx.data_unchecked::<Clock>().now().into()
    }
    /// Every value that `extensions.code` of an error can have.
    async fn error_codes(&self) -> Vec<ErrorCode> {
        ErrorCode::items().iter().map(|item| item.value).collect()
    }
    /// What a request may ask for.
    async fn limits(&self, ctx: &Context<'_>) -> LimitsObject {
        LimitsObject(*ctx.data_unchecked::<Limits>())
    }
}

/// What a request may ask for.
pub(super) struct LimitsObject(Limits);

/// What a request may ask for. Beyond it, a request ends in QUERY_TOO_COMPLEX or PAYLOAD_TOO_LARGE.
/// Fragments count as if they were written out.
#[Object(name = "Limits")]
impl LimitsObject {
    /// How deep selections may nest.
    async fn depth(&self) -> u32 {
        self.0.depth
    }
    /// The complexity that a document may have: 1 for each field, 20 for `totalCount`, and 100 more for a field with a
    /// `search`.
    async fn complexity(&self) -> u32 {
        self.0.complexity
    }
    /// How many fields may be renamed.
    async fn aliases(&self) -> u32 {
        self.0.aliases
    }
    /// How many directives may be used.
    async fn directives(&self) -> u32 {
        self.0.directives
    }
    /// How many names, values and punctuators a document may have.
    async fn tokens(&self) -> u32 {
        self.0.tokens
    }
    /// How deep brackets may nest in a document, and selections with fragments written out.
    async fn nesting(&self) -> u32 {
        MAX_NESTING
    }
    /// How many bytes a name or number may have.
    async fn name_bytes(&self) -> usize {
        MAX_NAME_BYTES
    }
    /// How many rows a page of a connection has at most.
    async fn page_size(&self) -> usize {
        page::MAX_ROWS
    }
    /// How many integers `next` takes at once.
    async fn next_count(&self) -> u32 {
        MAX_COUNT
    }
    /// How many ids `nodes` takes.
    async fn nodes(&self) -> usize {
        MAX_NODES
    }
    /// How deep lists of the schema may nest in an introspection.
    async fn introspection_lists(&self) -> u32 {
        MAX_INTROSPECTION_LISTS
    }
    /// How many bytes the body of a request may have.
    async fn request_bytes(&self) -> SafeInt {
        i64::try_from(self.0.request_bytes).unwrap_or(i64::MAX).into()
    }
    /// How many bytes the file of a photo may have.
    async fn photo_bytes(&self) -> SafeInt {
        i64::try_from(self.0.photo_bytes).unwrap_or(i64::MAX).into()
    }
    /// How many pixels a photo may have: its width times its height.
    async fn photo_pixels(&self) -> SafeInt {
        i64::try_from(self.0.photo_pixels).unwrap_or(i64::MAX).into()
    }
    /// How many files one upload may have.
    async fn photos_per_upload(&self) -> usize {
        self.0.photos_per_upload
    }
    /// How many photos one mutation may name.
    async fn photos_at_once(&self) -> usize {
        photos::MAX_AT_ONCE
    }
}

/// Queries about the server.
#[derive(Default)]
pub(super) struct ServerQuery;

#[Object]
impl ServerQuery {
    /// A greeting, to see that the server is there.
    async fn hello(&self) -> &'static str {
        "Hello from Cloakroom"
    }
    /// The server.
    async fn server(&self) -> Server {
        Server
    }
}
