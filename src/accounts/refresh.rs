//! `refreshTokens`: new tokens for an old refresh token.
//!
//! A refresh token is good once, and its successor takes its place. Two cases are no theft and get the current tokens
//! again:
//!
//! * Requests that are late. Tabs share one stored token, and one of them may send it when the others have refreshed
//!   several times. So for `accounts.refresh_reuse_seconds` after it was superseded, a token of any generation is
//!   tolerated (`supersession`).
//! * Answers that were lost. The client has only the token that it sent, the direct predecessor of the current one. It is
//!   tolerated at any time, as long as nobody has used the current tokens (`confirmations`).
//!
//! Any other one is a copy: the session ends, for the thief and the owner alike (RFC 9700, section 4.14.2).

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ActiveValue::Set;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::{self, Ended};
use crate::accounts::limits::Limit;
use crate::accounts::refresh_token::{Age, Judge, RefreshToken};
use crate::accounts::supersession::{Marks, Window};
use crate::accounts::{Accounts, Tokens, session, user};
use crate::caller::{Caller, Origin, block};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::{SessionId, UserId};
use crate::store::DatabaseTransaction;

/// How often a refresh is tried that others overtook.
const ATTEMPTS: usize = 5;

/// What a refresh token is worth.
enum Verdict {
    /// Tokens of the next generation, which it is the first to get.
    Advanced { user: UserId, token: RefreshToken },
    /// Tokens of the current generation.
    Repeated { user: UserId, token: RefreshToken, is_elsewhere: bool },
    /// The session has ended, or can no longer be refreshed.
    Expired,
    /// It is a copy; its session is to end.
    Reused(Box<Reuse>),
}

/// A session a refresh token of which was used again, as it is then.
struct Reuse {
    user: user::Model,
    session: session::Model,
    now: DateTime<Utc>,
}

/// How the transaction of a refresh ended.
enum Outcome {
    /// Tokens of this generation.
    Good(UserId, RefreshToken),
    /// The session has ended.
    Expired,
    /// The session has been ended by this refresh.
    Reused,
}

/// A refresh, as its transaction sees it.
#[derive(Clone)]
struct Refresh {
    token: RefreshToken,
    origin: Origin,
    judge: Judge,
    slides_by: TimeDelta,
    lasts: TimeDelta,
    /// About whom is decided in the transaction.
    event: account_event::ActiveModel,
    replay_events: Arc<Limit<SessionId>>,
    /// Whether another entry about a replay may be added: a transaction that is run again counts once.
    may_tell: Arc<OnceLock<bool>>,
}

impl Accounts {
    /// Replaces the tokens of a session. The access tokens before stay good until they expire.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `INVALID` for what is no refresh token of ours, `EXPIRED` for one whose session
    /// has ended, or that ends it because it is a copy; [`Error::RateLimited`], which ends nothing.
    pub async fn refresh(&self, caller: &Caller, refresh_token: &str) -> Result<Tokens, Error> {
        self.limits.refresh_per_address.count_from(&caller.origin)?;
        let token = self.read_refresh_token(refresh_token)?;
        self.limits.refresh_per_session.count(&token.session)?;
        let refresh = Refresh {
            token,
            origin: caller.origin.clone(),
            judge: self.refresh_judge(),
            slides_by: TimeDelta::seconds(self.settings.refresh_token_seconds.into()),
            lasts: TimeDelta::seconds(self.settings.session_seconds.into()),
            event: self.event(caller, UserId::generate(), Kind::TokensRefreshed),
            replay_events: Arc::clone(&self.limits.replay_events_per_session),
            may_tell: Arc::default(),
        };
        let outcome = self.write_and_end(move |transaction| {
            let refresh = refresh.clone();
            Box::pin(async move { refresh.run(transaction).await })
        });
        match outcome.await? {
            Outcome::Good(user, token) => {
                self.notes.count_entry(user, Kind::TokensRefreshed);
                self.tokens(user, token)
            }
            Outcome::Reused => {
                self.post.wake();
                Err(expired())
            }
            Outcome::Expired => Err(expired()),
        }
    }

    /// Which session a refresh token is of.
    pub(super) fn read_refresh_token(&self, text: &str) -> Result<RefreshToken, Error> {
        let message = "This is not a refresh token of this server.";
        let invalid = || UserError::of("refreshToken", UserErrorCode::Invalid, message).into();
        self.refresh_key.read(text).ok_or_else(invalid)
    }

    pub(super) fn refresh_judge(&self) -> Judge {
        Judge {
            clock: self.clock.clone(),
            window: Window::of_seconds(self.settings.refresh_reuse_seconds),
            confirmations: Arc::clone(&self.confirmations),
        }
    }
}

impl Refresh {
    async fn run(self, transaction: &DatabaseTransaction) -> Result<(Outcome, Ended), Error> {
        match self.judge(transaction).await? {
            Verdict::Advanced { user, token } => {
                self.tell(transaction, user, Kind::TokensRefreshed).await?;
                Ok((Outcome::Good(user, token), Ended::default()))
            }
            Verdict::Repeated { user, token, is_elsewhere } => {
                if is_elsewhere && self.may_tell() {
                    self.tell(transaction, user, Kind::RefreshTokenReplayed).await?;
                }
                Ok((Outcome::Good(user, token), Ended::default()))
            }
            Verdict::Reused(reuse) => {
                let Reuse { user, session, now } = *reuse;
                end::reused(transaction, &user, &session, now, self.event).await?;
                Ok((Outcome::Reused, Ended::sessions(&[self.token.session])))
            }
            Verdict::Expired => Ok((Outcome::Expired, Ended::default())),
        }
    }

    /// Counts the refresh, or finds it counted.
    async fn judge(&self, transaction: &DatabaseTransaction) -> Result<Verdict, Error> {
        let token = self.token;
        let Some(session) = session::find_live(transaction, token.session, self.judge.clock.now()).await? else {
            return Ok(Verdict::Expired);
        };
        // The user first: the session is written, and then an entry of the user's log.
        let Some(user) = user::lock(transaction, session.user_id).await?.filter(user::Model::may_act) else {
            return Ok(Verdict::Expired);
        };
        for _ in 0..ATTEMPTS {
            // Others may have refreshed it while this one waited for the lock, and time has passed.
            let now = self.judge.clock.now();
            let Some(session) = session::find_live(transaction, token.session, now).await? else {
                return Ok(Verdict::Expired);
            };
            match token.age(&session, now, &self.judge) {
                Age::Current => {}
                Age::Replaced => {
                    let token = RefreshToken { generation: session.generation, ..token };
                    let is_elsewhere = self.is_elsewhere(&session);
                    return Ok(Verdict::Repeated { user: user.id, token, is_elsewhere });
                }
                Age::Reused => return Ok(Verdict::Reused(Box::new(Reuse { user, session, now }))),
                Age::Void => return Ok(Verdict::Expired),
            }
            let next = RefreshToken { generation: token.generation.saturating_add(1), ..token };
            let advance = session::Advance {
                generation: token.generation,
                now,
                expires_at: (now + self.slides_by).min(session.created_at + self.lasts),
                marks: Marks::of(&session).with_refresh(next.generation, now, self.judge.window),
                origin: &self.origin,
            };
            // One conditional update decides between those who come at once.
            if session::advance(transaction, token.session, advance).await? {
                return Ok(Verdict::Advanced { user: user.id, token: next });
            }
        }
        Err(Error::Unavailable { retry_after_seconds: 1 })
    }

    /// Adds an entry to the log of the user whose token it is. The client shows no access token with it.
    async fn tell(&self, transaction: &DatabaseTransaction, user: UserId, kind: Kind) -> Result<(), Error> {
        let event = account_event::ActiveModel { user_id: Set(user), kind: Set(kind), ..self.event.clone() };
        account_event::add(transaction, event.by_owner()).await
    }

    /// Whether this request comes from another address than the last refresh of the session.
    fn is_elsewhere(&self, session: &session::Model) -> bool {
        let last = session.ip_address.as_deref().and_then(|address| address.parse().ok()).map(block);
        self.origin.address.map(block).is_some_and(|here| last != Some(here))
    }

    fn may_tell(&self) -> bool {
        *self.may_tell.get_or_init(|| self.replay_events.count(&self.token.session).is_ok())
    }
}

fn expired() -> Error {
    let message = "The session of this refresh token has ended: sign in again.";
    UserError::of("refreshToken", UserErrorCode::Expired, message).into()
}
