//! The accounts' part of the schema. API keys, which can be limited to a counter, are in `schema/api_key.rs`.

pub mod administer;
pub mod credentials;
pub mod event;
pub mod renewal;
pub mod session;
pub mod user;

use std::sync::Arc;

use async_graphql::{Context, MergedObject};
use futures_util::future::BoxFuture;

use crate::accounts::Accounts;
use crate::caller::Caller;
use crate::error::{Error, UserError};

pub use event::{AccountEvent, AccountEventConnection};
pub use renewal::Renewal;
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

/// What was done, or what to correct.
type Payload<T> = (Option<T>, Vec<UserError>);

/// The two parts of a payload.
///
/// The verb is boxed: in the framework all mutations share one future, which would be as large as the largest of them
/// (6.6 kB) for each `next` that waits.
fn payload<'v, T, U: 'v>(
    verb: impl Future<Output = Result<T, Error>> + Send + 'v,
    of: impl FnOnce(T) -> U + Send + 'v,
) -> BoxFuture<'v, Result<Payload<U>, Error>> {
    Box::pin(async move {
        Ok(match Error::user_errors(verb.await)? {
            Ok(done) => (Some(of(done)), Vec::new()),
            Err(user_errors) => (None, user_errors),
        })
    })
}

fn accounts<'c>(ctx: &Context<'c>) -> &'c Accounts {
    ctx.data_unchecked::<Arc<Accounts>>()
}

fn caller<'c>(ctx: &Context<'c>) -> &'c Caller {
    ctx.data_unchecked::<Caller>()
}
