//! `mutation { next { value } }` over async-graphql and axum, with nothing else around it.

use std::sync::Arc;

use async_graphql::{Context, EmptySubscription, Object, Request, Schema, SimpleObject};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};

use super::{memory, naive};

/// Where the numbers come from.
pub(super) enum Counters {
    Memory(memory::Counters),
    Naive(naive::Counters),
}

type Api = Schema<Query, Mutation, EmptySubscription>;

struct Query;
struct Mutation;

/// Who asks, as the `Authorization` header claims.
struct User(usize);

#[derive(SimpleObject)]
struct Next {
    value: i64,
}

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "hello"
    }
}

#[Object]
impl Mutation {
    async fn next(&self, context: &Context<'_>) -> async_graphql::Result<Next> {
        let User(user) = *context.data()?;
        let value = match context.data::<Arc<Counters>>()?.as_ref() {
            Counters::Memory(counters) => counters.next(user).ok_or("there is no such user")?,
            Counters::Naive(counters) => {
                counters.next(user).await.map_err(|error| async_graphql::Error::new(format!("{error:#}")))?
            }
        };
        Ok(Next { value })
    }
}

pub(super) fn router(counters: Counters) -> Router {
    let schema = Schema::build(Query, Mutation, EmptySubscription).data(Arc::new(counters)).finish();
    Router::new().route("/graphql", post(answer)).with_state(schema)
}

async fn answer(State(schema): State<Api>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Request>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(user) = user(&headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    match serde_json::to_vec(&schema.execute(request.data(user)).await) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn user(headers: &HeaderMap) -> Option<User> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?.parse().ok().map(User)
}
