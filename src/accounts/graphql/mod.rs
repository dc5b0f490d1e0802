//! The accounts' part of the schema. API keys, which can be limited to a counter, are in `schema/api_key.rs`.

pub mod administer;
pub mod credentials;
pub mod event;
pub mod session;
pub mod user;

use std::sync::Arc;

use async_graphql::connection::{Connection, Edge, PageInfo};
use async_graphql::{Context, MergedObject, OutputType};

use crate::accounts::Accounts;
use crate::caller::Caller;
use crate::error::{Error, UserError};
use crate::page::Page;

pub use event::{AccountEvent, AccountEventConnection};
pub use session::Session;
pub use user::{Role, User};

/// Queries about accounts.
#[derive(MergedObject, Default)]
pub struct AccountsQuery(user::UsersQuery);

/// Mutations of accounts.
#[derive(MergedObject, Default)]
pub struct AccountsMutation(
    session::SessionsMutation,
    credentials::CredentialsMutation,
    user::ProfileMutation,
    administer::AdministratorsMutation,
);

/// The two parts of a payload: what was done, or what to correct.
fn payload<T, U>(result: Result<T, Error>, of: impl FnOnce(T) -> U) -> Result<(Option<U>, Vec<UserError>), Error> {
    Ok(match Error::user_errors(result)? {
        Ok(done) => (Some(of(done)), Vec::new()),
        Err(user_errors) => (None, user_errors),
    })
}

/// A page as a connection: what `edge` makes of a row is its cursor and its node.
fn connection<T, N: OutputType>(page: Page<T>, edge: impl Fn(T) -> (String, N)) -> Connection<String, N> {
    let mut connection = Connection::new(page.has_previous, page.has_next);
    let edges = page.rows.into_iter().map(edge).map(|(cursor, node)| Edge::new(cursor, node));
    connection.edges.extend(edges);
    connection
}

fn page_info<N: OutputType>(page: &Connection<String, N>) -> PageInfo {
    PageInfo {
        has_previous_page: page.has_previous_page,
        has_next_page: page.has_next_page,
        start_cursor: page.edges.first().map(|edge| edge.cursor.clone()),
        end_cursor: page.edges.last().map(|edge| edge.cursor.clone()),
    }
}

fn accounts<'c>(ctx: &Context<'c>) -> &'c Accounts {
    ctx.data_unchecked::<Arc<Accounts>>()
}

fn caller<'c>(ctx: &Context<'c>) -> &'c Caller {
    ctx.data_unchecked::<Caller>()
}
