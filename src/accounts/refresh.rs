//! `refreshTokens`: new tokens for an old refresh token.
//!
//! A refresh token is good once, and its successor takes its place. Two cases are no theft and get the same
//! answer again: tabs that refresh at once, and a client whose answer was lost. Both present the immediately
//! preceding token while its successor is unused. Whoever presents an older one has a copy: the session ends,
//! for the thief and the owner alike (RFC 9700, section 4.14.2).

use chrono::TimeDelta;

use crate::accounts::refresh_token::RefreshToken;
use crate::accounts::{Accounts, Tokens, session};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;

/// How often a refresh is tried that others overtook.
const ATTEMPTS: usize = 5;

/// What a refresh token is worth.
enum Verdict {
    /// Tokens of this generation.
    Good(UserId, RefreshToken),
    /// The session has ended, or can no longer be refreshed.
    Expired,
    /// It was replaced more than once.
    Reused,
}

impl Accounts {
    /// Replaces the tokens of a session. The access tokens before stay good until they expire.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `INVALID` for what is no refresh token of ours, `EXPIRED` for one whose session
    /// has ended, or that ends it because it was replaced more than once.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Error> {
        let token = self.read_refresh_token(refresh_token)?;
        match self.judge(token).await? {
            Verdict::Good(user, token) => self.tokens(user, token),
            Verdict::Reused => {
                tracing::warn!(session = %token.session, "a refresh token was used again: its session has ended");
                self.end_sessions(vec![token.session]).await?;
                Err(expired())
            }
            Verdict::Expired => Err(expired()),
        }
    }

    /// Which session a refresh token is of.
    pub(super) fn read_refresh_token(&self, text: &str) -> Result<RefreshToken, Error> {
        let message = "This is not a refresh token of this server.";
        let invalid = || UserError::of("refreshToken", UserErrorCode::Invalid, message).into();
        self.refresh_key.read(text).ok_or_else(invalid)
    }

    /// Counts the refresh, or finds it counted.
    async fn judge(&self, token: RefreshToken) -> Result<Verdict, Error> {
        let now = self.clock.now();
        let slides_by = TimeDelta::seconds(self.settings.refresh_token_seconds.into());
        let lasts = TimeDelta::seconds(self.settings.session_seconds.into());
        let judged = self.database.write(move |transaction| {
            Box::pin(async move {
                for _ in 0..ATTEMPTS {
                    let Some(session) = session::find_live(transaction, token.session, now).await? else {
                        return Ok(Verdict::Expired);
                    };
                    let good = |generation| Verdict::Good(session.user_id, RefreshToken { generation, ..token });
                    let successor = token.generation.saturating_add(1);
                    match session.generation {
                        _ if session.refresh_ended_at.is_some() => return Ok(Verdict::Expired),
                        current if current == successor => return Ok(good(successor)),
                        current if current > successor => return Ok(Verdict::Reused),
                        // Ahead of the database, which was restored from a copy.
                        current if current < token.generation => return Ok(Verdict::Expired),
                        _ => {}
                    }
                    let expires_at = (now + slides_by).min(session.created_at + lasts);
                    // One conditional update decides between those who come at once.
                    if session::advance(transaction, token.session, token.generation, now, expires_at).await? {
                        return Ok(good(successor));
                    }
                }
                Err(Error::Unavailable { retry_after_seconds: 1 })
            })
        });
        judged.await
    }
}

fn expired() -> Error {
    let message = "The session of this refresh token has ended: sign in again.";
    UserError::of("refreshToken", UserErrorCode::Expired, message).into()
}
