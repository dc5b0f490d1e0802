//! `refreshTokens`: new tokens for an old refresh token.
//!
//! A refresh token is good once, and its successor takes its place. Two cases are no theft and get the same
//! answer again: tabs that refresh at once, and a client whose answer was lost. Both present the immediately
//! preceding token while its successor is unused. Whoever presents an older one has a copy: the session ends,
//! for the thief and the owner alike (RFC 9700, section 4.14.2).

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::{self, Ended};
use crate::accounts::refresh_token::{Age, RefreshToken};
use crate::accounts::{Accounts, Tokens, session, user};
use crate::caller::{Caller, Origin};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;
use crate::store::DatabaseTransaction;

/// How often a refresh is tried that others overtook.
const ATTEMPTS: usize = 5;

/// What a refresh token is worth.
enum Verdict {
    /// Tokens of this generation, which it may be the first to get.
    Good { user: UserId, token: RefreshToken, first: bool },
    /// The session has ended, or can no longer be refreshed.
    Expired,
    /// It was replaced more than once; its session has ended.
    Reused(session::Model),
}

/// A refresh, as its transaction sees it.
#[derive(Clone)]
struct Refresh {
    token: RefreshToken,
    origin: Origin,
    now: chrono::DateTime<chrono::Utc>,
    slides_by: TimeDelta,
    lasts: TimeDelta,
    /// About whom is decided in the transaction.
    event: account_event::ActiveModel,
}

impl Accounts {
    /// Replaces the tokens of a session. The access tokens before stay good until they expire.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `INVALID` for what is no refresh token of ours, `EXPIRED` for one whose session
    /// has ended, or that ends it because it was replaced more than once; [`Error::RateLimited`], which ends nothing.
    pub async fn refresh(&self, caller: &Caller, refresh_token: &str) -> Result<Tokens, Error> {
        self.limits.refresh_per_address.count_from(&caller.origin)?;
        let token = self.read_refresh_token(refresh_token)?;
        self.limits.refresh_per_session.count(&token.session)?;
        let refresh = Refresh {
            token,
            origin: caller.origin.clone(),
            now: self.clock.now(),
            slides_by: TimeDelta::seconds(self.settings.refresh_token_seconds.into()),
            lasts: TimeDelta::seconds(self.settings.session_seconds.into()),
            event: self.event(caller, UserId::generate(), Kind::TokensRefreshed),
        };
        let verdict = self.write_and_end(move |transaction| {
            let refresh = refresh.clone();
            Box::pin(async move { refresh.run(transaction).await })
        });
        match verdict.await? {
            Verdict::Good { user, token, first } => {
                if first {
                    self.notes.count_frequent(user, Kind::TokensRefreshed);
                }
                self.tokens(user, token)
            }
            Verdict::Reused(_) | Verdict::Expired => Err(expired()),
        }
    }

    /// Which session a refresh token is of.
    pub(super) fn read_refresh_token(&self, text: &str) -> Result<RefreshToken, Error> {
        let message = "This is not a refresh token of this server.";
        let invalid = || UserError::of("refreshToken", UserErrorCode::Invalid, message).into();
        self.refresh_key.read(text).ok_or_else(invalid)
    }
}

impl Refresh {
    async fn run(self, transaction: &DatabaseTransaction) -> Result<(Verdict, Ended), Error> {
        let verdict = self.judge(transaction).await?;
        match &verdict {
            Verdict::Good { user, first: true, .. } => {
                // Whose token it is, is known only now; the client shows no access token with it.
                let event = account_event::ActiveModel { user_id: Set(*user), ..self.event };
                account_event::add(transaction, event.by_owner()).await?;
            }
            Verdict::Reused(session) => {
                end::reused(transaction, session, self.now, self.event).await?;
                return Ok((verdict, Ended::sessions(&[self.token.session])));
            }
            Verdict::Good { .. } | Verdict::Expired => {}
        }
        Ok((verdict, Ended::default()))
    }

    /// Counts the refresh, or finds it counted.
    async fn judge(&self, transaction: &DatabaseTransaction) -> Result<Verdict, Error> {
        let (token, now) = (self.token, self.now);
        for _ in 0..ATTEMPTS {
            let Some(session) = session::find_live(transaction, token.session, now).await? else {
                return Ok(Verdict::Expired);
            };
            let user = session.user_id;
            // The user first: the session is written, and then an entry of the user's log.
            if !user::lock(transaction, user).await?.is_some_and(|user| user.may_act()) {
                return Ok(Verdict::Expired);
            }
            let good = |first| {
                let token = RefreshToken { generation: token.generation.saturating_add(1), ..token };
                Verdict::Good { user, token, first }
            };
            match token.age(&session) {
                Age::Current => {}
                Age::Replaced => return Ok(good(false)),
                Age::Reused => return Ok(Verdict::Reused(session)),
                Age::Void => return Ok(Verdict::Expired),
            }
            let expires_at = (now + self.slides_by).min(session.created_at + self.lasts);
            // One conditional update decides between those who come at once.
            let moments = (now, expires_at);
            if session::advance(transaction, token.session, token.generation, moments, &self.origin).await? {
                return Ok(good(true));
            }
        }
        Err(Error::Unavailable { retry_after_seconds: 1 })
    }
}

fn expired() -> Error {
    let message = "The session of this refresh token has ended: sign in again.";
    UserError::of("refreshToken", UserErrorCode::Expired, message).into()
}
