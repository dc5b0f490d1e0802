//! What administrators do, in the schema.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::accounts::graphql::user::{Role, User};
use crate::accounts::graphql::{accounts, caller};
use crate::error::{Error, UserError};
use crate::id::UserId;
use crate::payload::payload;

/// What a user may do from now on.
#[derive(InputObject)]
pub struct SetUserRoleInput {
    /// The user's id.
    user_id: ID,
    /// What they may do.
    role: Role,
}

/// What `setUserRole` did.
#[derive(SimpleObject)]
pub struct SetUserRolePayload {
    /// The user. Null when there are user errors.
    user: Option<User>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Whom to shut out.
#[derive(InputObject)]
pub struct SuspendUserInput {
    /// The user's id.
    user_id: ID,
}

/// What `suspendUser` did.
#[derive(SimpleObject)]
pub struct SuspendUserPayload {
    /// The user. Null when there are user errors.
    user: Option<User>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Whom to let in again.
#[derive(InputObject)]
pub struct ReinstateUserInput {
    /// The user's id.
    user_id: ID,
}

/// What `reinstateUser` did.
#[derive(SimpleObject)]
pub struct ReinstateUserPayload {
    /// The user. Null when there are user errors.
    user: Option<User>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations for administrators.
#[derive(Default)]
pub struct AdministratorsMutation;

#[Object]
impl AdministratorsMutation {
    /// Makes a user an administrator, or one no longer. User errors: NOT_FOUND, CONFLICT for the last administrator.
    /// UNAUTHENTICATED when nobody is signed in, FORBIDDEN for whoever does not administer, and for an API key.
    async fn set_user_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What a user may do from now on.")] input: SetUserRoleInput,
    ) -> Option<Result<SetUserRolePayload, Error>> {
        let set = accounts(ctx).set_role(caller(ctx), UserId::parse(&input.user_id), input.role.into());
        payload(set, |user, user_errors| SetUserRolePayload { user: user.map(User::from), user_errors }).await
    }

    /// Shuts a user out, at once: their sessions end, and they can neither log in nor use their API keys. User errors:
    /// NOT_FOUND, CONFLICT for the last administrator. UNAUTHENTICATED and FORBIDDEN as for `setUserRole`.
    async fn suspend_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to shut out.")] input: SuspendUserInput,
    ) -> Option<Result<SuspendUserPayload, Error>> {
        let suspended = accounts(ctx).suspend(caller(ctx), UserId::parse(&input.user_id));
        payload(suspended, |user, user_errors| SuspendUserPayload { user: user.map(User::from), user_errors }).await
    }

    /// Lifts the suspension of a user: they can log in again. User errors: NOT_FOUND. UNAUTHENTICATED and FORBIDDEN as for
    /// `setUserRole`.
    async fn reinstate_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to let in again.")] input: ReinstateUserInput,
    ) -> Option<Result<ReinstateUserPayload, Error>> {
        let reinstated = accounts(ctx).reinstate(caller(ctx), UserId::parse(&input.user_id));
        payload(reinstated, |user, user_errors| ReinstateUserPayload { user: user.map(User::from), user_errors }).await
    }
}
