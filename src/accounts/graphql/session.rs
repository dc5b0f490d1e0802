//! Sessions in the schema: sign-up, login, refresh, logout.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::accounts::graphql::renewal::Renewal;
use crate::accounts::graphql::user::User;
use crate::accounts::graphql::{accounts, caller};
use crate::accounts::{self, SignedIn, session};
use crate::error::{Error, UserError};
use crate::id::SessionId;
use crate::payload::payload;
use crate::scalars::DateTime;

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

/// A time in which somebody is signed in on some device.
#[derive(Clone, Debug)]
pub struct Session(pub session::Model);

/// A time in which somebody is signed in on some device.
#[Object]
impl Session {
    /// Global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }
    /// Whether it is the session of this request.
    async fn is_current(&self, ctx: &Context<'_>) -> bool {
        caller(ctx).own_session() == Some(self.0.id)
    }
    /// Name of the device, as given to `login`. Null if none was given.
    async fn device_name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }
    /// The program with which it was opened or last refreshed: its User-Agent, at most 256 characters.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }
    /// The network address from which it was opened or last refreshed; null where that is not known.
    async fn ip_address(&self) -> Option<&str> {
        self.0.ip_address.as_deref()
    }
    /// When it was opened.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
    /// When it was last used, to the minute.
    async fn last_active_at(&self) -> DateTime {
        self.0.last_used_at.unwrap_or(self.0.created_at).into()
    }
    /// When it ends by itself, unless its tokens are refreshed before.
    async fn ends_at(&self) -> DateTime {
        self.0.expires_at.into()
    }
}

/// At least one of email and username is needed; without a username one is made up.
#[derive(InputObject)]
pub struct SignUpInput {
    /// An e-mail address of at most 254 bytes. Spellings of one mailbox are the same: upper and lower case, a domain in
    /// Unicode or in Punycode. Characters that cannot be seen are refused.
    email: Option<String>,
    /// 3 to 32 letters, digits, dots, dashes and underscores, beginning with a letter or digit. Upper and
    /// lower case are the same. Letters are of one script, and the name looks like no other one: TAKEN otherwise.
    username: Option<String>,
    /// 8 to 1,024 characters, not easy to guess.
    #[graphql(secret)]
    password: String,
    /// Name to show, such as the full name: at most 100 characters on one line, not all of them
    /// invisible.
    display_name: Option<String>,
}

/// What `signUp` did.
#[derive(SimpleObject)]
pub struct SignUpPayload {
    /// The new user. Null when there are user errors, and where the address has to be confirmed first.
    user: Option<User>,
    /// The tokens of their first session. Null as the user.
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
    /// Name of the device that the session is for, as a list of sessions shows it; at most 100
    /// characters.
    device_name: Option<String>,
}

/// What `login` did.
#[derive(SimpleObject)]
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
#[derive(SimpleObject)]
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

/// Which session to end.
#[derive(InputObject)]
pub struct EndSessionInput {
    /// The id of one of the caller's sessions.
    session_id: ID,
}

/// What `endSession` did.
#[derive(SimpleObject)]
pub struct EndSessionPayload {
    /// The session as it was. Null when there are user errors.
    session: Option<Session>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations of sessions.
#[derive(Default)]
pub struct SessionsMutation;

#[Object]
impl SessionsMutation {
    /// Makes an account with a counter named `default`, and signs in. Where the server requires a confirmed address,
    /// it sends a link to it instead, and the answer does not tell whether the address has an account; the same username
    /// and password once more, with the same or another address, begin again an account that nobody has confirmed. User
    /// errors: REQUIRED, INVALID, TOO_SHORT, TOO_LONG, TOO_WEAK, TAKEN: an address is taken once it is confirmed, or,
    /// where the server sends no mails to confirm one, once an account has it. RATE_LIMITED. UNAVAILABLE when too many
    /// passwords wait to be hashed.
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: SignUpInput,
    ) -> Option<Result<SignUpPayload, Error>> {
        let SignUpInput { email, username, password, display_name } = input;
        let input = accounts::SignUp { email, username, password: password.into(), display_name };
        let signed_up = accounts(ctx).sign_up(caller(ctx), input);
        let build = |signed_in: Option<Option<SignedIn>>, user_errors| {
            let (user, tokens) = signed_in.flatten().map(parts).unzip();
            SignUpPayload { user, tokens, user_errors }
        };
        payload(signed_up, build).await
    }

    /// Opens a session. User errors: WRONG_CREDENTIALS, REQUIRED, INVALID, TOO_LONG. FORBIDDEN, if the password is
    /// right, for an account that is suspended or has to confirm its address first: then the link is sent to it again.
    /// RATE_LIMITED. UNAVAILABLE when too many passwords wait to be hashed.
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: LoginInput,
    ) -> Option<Result<LoginPayload, Error>> {
        let LoginInput { identifier, password, device_name } = input;
        let input = accounts::Login { identifier, password: password.into(), device_name };
        let logged_in = accounts(ctx).login(caller(ctx), input);
        let build = |signed_in: Option<SignedIn>, user_errors| {
            let (user, tokens) = signed_in.map(parts).unzip();
            LoginPayload { user, tokens, user_errors }
        };
        payload(logged_in, build).await
    }

    /// Replaces a session's tokens; the refresh token is good once. Sent again within a minute or two, or before the new
    /// tokens were used, it gets the current tokens. Sent again later it is a copy, which ends the session, and the user
    /// is told by mail. User errors: INVALID, and EXPIRED when the session has ended. RATE_LIMITED, which ends nothing.
    async fn refresh_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose tokens are to be replaced.")] input: RefreshTokensInput,
    ) -> Option<Result<RefreshTokensPayload, Error>> {
        let refreshed = accounts(ctx).refresh(caller(ctx), &input.refresh_token);
        let build = |tokens: Option<accounts::Tokens>, user_errors| {
            if let (Some(renewal), Some(tokens)) = (ctx.data_opt::<Renewal>(), &tokens) {
                renewal.leave(&tokens.access);
            }
            RefreshTokensPayload { tokens: tokens.map(Tokens), user_errors }
        };
        payload(refreshed, build).await
    }

    /// Ends the caller's session, or what the scope says: it is refused from now on. A refresh token that was given up
    /// ends nothing; one that was replaced more than once ends its own session, and only that. UNAUTHENTICATED when
    /// nobody is signed in and no refresh token is given, BAD_USER_INPUT for one that is not of this server, FORBIDDEN
    /// for an API key.
    async fn logout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to end; by default this session.")] input: Option<LogoutInput>,
    ) -> Option<Result<LogoutPayload, Error>> {
        let input = input.unwrap_or(LogoutInput { scope: LogoutScope::Session, refresh_token: None });
        let (scope, refresh_token) = (input.scope.into(), input.refresh_token);
        let ended = Box::pin(accounts(ctx).logout(caller(ctx), scope, refresh_token.as_deref())).await;
        Some(ended.map(|ended_sessions| LogoutPayload { ended_sessions }))
    }

    /// Ends one of the caller's sessions, at once and for good. User errors: NOT_FOUND. UNAUTHENTICATED when nobody is
    /// signed in, FORBIDDEN for an API key.
    async fn end_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session to end.")] input: EndSessionInput,
    ) -> Option<Result<EndSessionPayload, Error>> {
        let ended = accounts(ctx).end_session(caller(ctx), SessionId::parse(&input.session_id));
        payload(ended, |row, user_errors| EndSessionPayload { session: row.map(Session), user_errors }).await
    }
}

fn parts(SignedIn { user, tokens }: SignedIn) -> (User, Tokens) {
    (User::proved(user), Tokens(tokens))
}
