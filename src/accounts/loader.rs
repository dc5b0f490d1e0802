//! Users by id, one statement for all that a request's level asks for.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;

use crate::accounts::{Accounts, user};
use crate::caller::{Caller, Scope};
use crate::error::Error;
use crate::id::UserId;

/// Loads users for one request.
pub struct UserLoader(pub Arc<Accounts>, pub Caller);

impl Loader<UserId> for UserLoader {
    type Value = user::Model;
    type Error = Error;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, user::Model>, Error> {
        self.1.require(Scope::AccountRead)?;
        let users = user::list_by_ids(self.0.database.reader(), ids).await?;
        Ok(users.into_iter().map(|user| (user.id, user)).collect())
    }
}
