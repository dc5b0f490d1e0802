//! The accounts' part of the schema. API keys, which can be limited to a counter, are in `schema/api_key.rs`.

pub mod administer;
pub mod credentials;
pub mod event;
pub mod renewal;
pub mod session;
pub mod user;

use std::sync::Arc;

use async_graphql::{Context, MergedObject};

use crate::accounts::Accounts;
use crate::caller::Caller;

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

fn accounts<'c>(ctx: &Context<'c>) -> &'c Accounts {
    ctx.data_unchecked::<Arc<Accounts>>()
}

fn caller<'c>(ctx: &Context<'c>) -> &'c Caller {
    ctx.data_unchecked::<Caller>()
}
