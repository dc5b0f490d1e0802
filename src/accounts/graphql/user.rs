//! Users in the schema: what others see of them, the list of everybody, and one's own profile.

use std::sync::Arc;

use async_graphql::connection::{Connection, Edge, EmptyFields, PageInfo};
use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use crate::accounts::graphql::{accounts, caller};
use crate::accounts::{self, Accounts, user};
use crate::caller::Scope;
use crate::error::{Error, UserError};
use crate::page::{self, Arguments, Window, page_info};
use crate::payload::payload;
use crate::scalars::DateTime;

/// What its cursors say that they are of.
const LIST: &str = "users";

/// A person with an account.
#[derive(Clone, Debug)]
pub struct User {
    row: user::Model,
    /// They have just proved to be this user, in a request that had no token yet.
    proved_now: bool,
}

impl User {
    /// Somebody who has just proved to be this user.
    pub(super) fn proved(row: user::Model) -> Self {
        Self { row, proved_now: true }
    }
}

impl From<user::Model> for User {
    fn from(row: user::Model) -> Self {
        Self { row, proved_now: false }
    }
}

/// A person with an account.
#[Object]
impl User {
    /// Global id.
    pub async fn id(&self) -> ID {
        self.row.id.into()
    }
    /// The name they sign in with: public, and nobody else's.
    async fn username(&self) -> &str {
        &self.row.username
    }
    /// Name to show, such as the full name; at most 100 characters. Null if they chose none.
    async fn display_name(&self) -> Option<&str> {
        self.row.name.as_deref()
    }
    /// Only to the user themselves and to administrators; otherwise null.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        let caller = caller(ctx);
        let own = self.proved_now || caller.require(Scope::AccountRead).is_ok_and(|id| id == self.row.id);
        self.row.email.as_deref().filter(|_| own || caller.is_admin())
    }
    /// When they signed up.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }
}

/// What a user may do.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "user::Role")]
pub enum Role {
    /// Act for themselves.
    User,
    /// Act for everybody.
    Admin,
}

/// A page of users.
pub struct UserConnection {
    page: Connection<String, User>,
    accounts: Arc<Accounts>,
    search: Option<String>,
}

/// A page of users.
#[Object]
impl UserConnection {
    /// The users, each with its cursor.
    async fn edges(&self) -> &[Edge<String, User, EmptyFields>] {
        &self.page.edges
    }
    /// The users.
    async fn nodes(&self) -> Vec<&User> {
        self.page.edges.iter().map(|edge| &edge.node).collect()
    }
    /// Where the page is in the list.
    async fn page_info(&self) -> PageInfo {
        page_info(&self.page)
    }
    /// Number of users in the whole list. It costs a count, and has a complexity of 20: ask only when it is shown.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<u64, Error> {
        self.accounts.count_users(caller(ctx), self.search.as_deref()).await
    }
}

/// What to change; what is left out stays.
#[derive(InputObject)]
pub struct UpdateProfileInput {
    /// Another username, as for `signUp`.
    username: Option<String>,
    /// Another display name, as for `signUp`; null removes it.
    display_name: MaybeUndefined<String>,
}

/// What `updateProfile` did.
#[derive(SimpleObject)]
pub struct UpdateProfilePayload {
    /// The caller with the new profile. Null when there are user errors.
    user: Option<User>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Queries about users.
#[derive(Default)]
pub struct UsersQuery;

#[Object]
impl UsersQuery {
    /// The user with this username; null when there is none. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an
    /// API key without ACCOUNT_READ.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Upper and lower case are the same.")] username: String,
    ) -> Option<Result<User, Error>> {
        accounts(ctx).find_user(caller(ctx), &username).await.map(|user| user.map(User::from)).transpose()
    }

    /// Everybody, by username. BAD_USER_INPUT for a page of more than 100 or a cursor that is none. UNAUTHENTICATED when
    /// nobody is signed in, FORBIDDEN for an API key without ACCOUNT_READ.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only those whose username or display name contains this, of at most 100 characters, whatever its case; for administrators also the e-mail address. It has a complexity of 100."
        )]
        search: Option<String>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 if neither is given.")] first: Option<i32>,
        #[graphql(desc = "Cursor that the page starts after; empty for the start of the list.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor that the page ends before; empty for the end of the list.")] before: Option<String>,
    ) -> Option<Result<UserConnection, Error>> {
        let users = async {
            let window = Window::of(LIST, Arguments { first, after, last, before })?;
            let accounts = Arc::clone(ctx.data_unchecked::<Arc<Accounts>>());
            let page = accounts.list_users(caller(ctx), search.as_deref(), &window).await?;
            let page = page.connection(|row| (page::cursor(LIST, &row.username_key), User::from(row)));
            Ok(UserConnection { page, accounts, search })
        };
        Some(users.await)
    }
}

/// Mutations of one's own profile.
#[derive(Default)]
pub struct ProfileMutation;

#[Object]
impl ProfileMutation {
    /// Changes the caller's username or display name. User errors: REQUIRED, INVALID, TOO_SHORT, TOO_LONG, TAKEN.
    /// UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API key.
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateProfileInput,
    ) -> Option<Result<UpdateProfilePayload, Error>> {
        let display_name = match input.display_name {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(name) => Some(Some(name)),
        };
        let input = accounts::UpdateProfile { username: input.username, display_name };
        let updated = accounts(ctx).update_profile(caller(ctx), input);
        payload(updated, |user, user_errors| UpdateProfilePayload { user: user.map(User::from), user_errors }).await
    }
}
