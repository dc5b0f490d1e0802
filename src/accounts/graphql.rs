//! The accounts' part of the schema.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::accounts::login::SignedIn;
use crate::accounts::{self, Accounts, user};
use crate::caller::Caller;
use crate::error::{Error, UserError};
use crate::scalars::DateTime;

/// A person with an account.
#[derive(Clone, Debug)]
pub struct User {
    row: user::Model,
    /// They have just proved to be this user, in a request that had no token yet.
    signed_in_now: bool,
}

impl From<user::Model> for User {
    fn from(row: user::Model) -> Self {
        Self { row, signed_in_now: false }
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
    /// What to call them.
    async fn name(&self) -> Option<&str> {
        self.row.name.as_deref()
    }
    /// Only to the user themselves; otherwise null.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        let own = self.signed_in_now || caller(ctx).user().is_ok_and(|id| id == self.row.id);
        self.row.email.as_deref().filter(|_| own)
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

/// The tokens of a session.
#[derive(Clone, Debug)]
pub struct Tokens(accounts::Tokens);

/// The tokens of a session.
#[Object]
impl Tokens {
    /// For the `Authorization` header: `Bearer` and a space before it.
    async fn access_token(&self) -> &str {
        &self.0.access
    }
    /// Keep it secret: it stands for the session.
    async fn refresh_token(&self) -> &str {
        &self.0.refresh
    }
    /// Always Bearer.
    async fn token_type(&self) -> &str {
        "Bearer"
    }
    /// Seconds until the access token expires.
    async fn expires_in(&self) -> u32 {
        self.0.expires_in_seconds
    }
    /// When the access token expires.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at.into()
    }
}

/// At least one of email and username is needed; without a username one is made up.
#[derive(InputObject)]
pub struct SignUpInput {
    /// An e-mail address of at most 254 bytes. Upper and lower case are the same.
    email: Option<String>,
    /// 3 to 32 letters, digits, dots, dashes and underscores, beginning with a letter or digit. Upper and
    /// lower case are the same.
    username: Option<String>,
    /// 8 to 1,024 characters.
    #[graphql(secret)]
    password: String,
    /// A name to show, of at most 100 characters.
    name: Option<String>,
}

/// What `signUp` did.
#[derive(SimpleObject, Default)]
pub struct SignUpPayload {
    /// The new user. Null when there are user errors.
    user: Option<User>,
    /// The tokens of their first session. Null when there are user errors.
    tokens: Option<Tokens>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Who signs in.
#[derive(InputObject)]
pub struct LoginInput {
    /// E-mail address or username.
    identifier: String,
    /// The password.
    #[graphql(secret)]
    password: String,
    /// A name for this session, such as a device, of at most 100 characters.
    session_name: Option<String>,
}

/// What `login` did.
#[derive(SimpleObject, Default)]
pub struct LoginPayload {
    /// Who signed in. Null when there are user errors.
    user: Option<User>,
    /// The tokens of the new session. Null when there are user errors.
    tokens: Option<Tokens>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Whose tokens are to be replaced.
#[derive(InputObject)]
pub struct RefreshTokensInput {
    /// The refresh token that came with the access token.
    #[graphql(secret)]
    refresh_token: String,
}

/// What `refreshTokens` did.
#[derive(SimpleObject, Default)]
pub struct RefreshTokensPayload {
    /// The new tokens of the same session. Null when there are user errors.
    tokens: Option<Tokens>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// What a logout ends.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "accounts::LogoutScope")]
pub enum LogoutScope {
    /// This access token only: the refresh token still gets a new one.
    AccessToken,
    /// This session's refresh token only: the access token lives on to its expiry.
    RefreshToken,
    /// This session: both tokens.
    Session,
    /// Every session of the account.
    AllSessions,
}

/// What to end.
#[derive(InputObject)]
pub struct LogoutInput {
    /// What a logout ends.
    #[graphql(default_with = "LogoutScope::Session")]
    scope: LogoutScope,
    /// In place of an access token that has expired: send it without an Authorization header.
    #[graphql(secret)]
    refresh_token: Option<String>,
}

/// What `logout` did.
#[derive(SimpleObject)]
pub struct LogoutPayload {
    /// How many sessions have ended.
    ended_sessions: u64,
}

/// Queries about accounts.
#[derive(Default)]
pub struct AccountsQuery;

#[Object]
impl AccountsQuery {
    /// The user with this username; null when there is none. UNAUTHENTICATED when nobody is signed in.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Upper and lower case are the same.")] username: String,
    ) -> Option<Result<User, Error>> {
        accounts(ctx).find_user(caller(ctx), &username).await.map(|user| user.map(User::from)).transpose()
    }
}

/// Mutations of accounts.
#[derive(Default)]
pub struct AccountsMutation;

#[Object]
impl AccountsMutation {
    /// Makes an account with a counter named `default`, and signs in. User errors: REQUIRED, INVALID,
    /// TOO_SHORT, TOO_LONG, TAKEN. UNAVAILABLE when too many passwords wait to be hashed.
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: SignUpInput,
    ) -> Result<SignUpPayload, Error> {
        let SignUpInput { email, username, password, name } = input;
        let input = accounts::SignUp { email, username, password: password.into(), name };
        let (user, tokens, user_errors) = signed_in(accounts(ctx).sign_up(caller(ctx), input).await)?;
        Ok(SignUpPayload { user, tokens, user_errors })
    }

    /// Opens a session. User errors: WRONG_CREDENTIALS, REQUIRED, INVALID, TOO_LONG. UNAVAILABLE when too many
    /// passwords wait to be hashed.
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: LoginInput,
    ) -> Result<LoginPayload, Error> {
        let LoginInput { identifier, password, session_name } = input;
        let input = accounts::Login { identifier, password: password.into(), session_name };
        let (user, tokens, user_errors) = signed_in(accounts(ctx).login(caller(ctx), input).await)?;
        Ok(LoginPayload { user, tokens, user_errors })
    }

    /// Replaces a session's tokens; the refresh token is good once. Sent again before the new one was used, it gets
    /// the same answer. User errors: INVALID, and EXPIRED when the session has ended: also when an older refresh
    /// token is used again, which ends it.
    async fn refresh_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose tokens are to be replaced.")] input: RefreshTokensInput,
    ) -> Result<RefreshTokensPayload, Error> {
        Ok(match Error::user_errors(accounts(ctx).refresh(&input.refresh_token).await)? {
            Ok(tokens) => RefreshTokensPayload { tokens: Some(Tokens(tokens)), user_errors: Vec::new() },
            Err(user_errors) => RefreshTokensPayload { tokens: None, user_errors },
        })
    }

    /// Ends the caller's session, or what the scope says: it is refused from now on. UNAUTHENTICATED when nobody is
    /// signed in and no refresh token is given, BAD_USER_INPUT for one that is not of this server.
    async fn logout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to end; by default this session.")] input: Option<LogoutInput>,
    ) -> Result<LogoutPayload, Error> {
        let input = input.unwrap_or(LogoutInput { scope: LogoutScope::Session, refresh_token: None });
        let (scope, refresh_token) = (input.scope.into(), input.refresh_token);
        let ended_sessions = accounts(ctx).logout(caller(ctx), scope, refresh_token.as_deref()).await?;
        Ok(LogoutPayload { ended_sessions })
    }
}

type SignedInParts = (Option<User>, Option<Tokens>, Vec<UserError>);

fn signed_in(result: Result<SignedIn, Error>) -> Result<SignedInParts, Error> {
    Ok(match Error::user_errors(result)? {
        Ok(SignedIn { user: row, tokens }) => {
            (Some(User { row, signed_in_now: true }), Some(Tokens(tokens)), Vec::new())
        }
        Err(user_errors) => (None, None, user_errors),
    })
}

fn accounts<'c>(ctx: &Context<'c>) -> &'c Accounts {
    ctx.data_unchecked::<Arc<Accounts>>()
}

fn caller<'c>(ctx: &Context<'c>) -> &'c Caller {
    ctx.data_unchecked::<Caller>()
}
