//! `logout`: the end of a session, or of a part of it, at once and for good.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::{self, Ended};
use crate::accounts::refresh_token::{Age, Judge, RefreshToken};
use crate::accounts::{Accounts, revoked_access_token, session, user};
use crate::caller::{Caller, Identity};
use crate::error::Error;
use crate::id::{SessionId, UserId};
use crate::store::DatabaseTransaction;

/// What a logout ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Accounts {
    /// Ends what `scope` says, of the session that the caller or the refresh token belongs to. What has ended is
    /// refused from now on, also after a restart. Returns how many sessions have ended; a session that had
    /// ended before counts as none.
    ///
    /// A refresh token is as good for this as it is for a refresh: one that was given up ends nothing, and one that is a
    /// copy ends its own session, whatever the scope.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] without a caller and a refresh token, and [`Error::InvalidToken`] with a rejected
    /// credential where one is needed; [`Error::Forbidden`] for an API key;
    /// [`Error::BadInput`] for a refresh token that is not ours, or for `AccessToken` without a caller.
    pub async fn logout(&self, caller: &Caller, scope: LogoutScope, refresh_token: Option<&str>) -> Result<u64, Error> {
        // Also if it brings a refresh token: whoever holds that needs no key beside it.
        if matches!(caller.identity, Identity::ApiKey { .. }) {
            caller.in_person()?;
        }
        let given = refresh_token.map(|text| self.read_refresh_token(text)).transpose();
        let given = given.map_err(|error| Error::BadInput(error.message()))?;
        let id = given.map_or_else(|| caller.session(), |token| Ok(token.session))?;
        let access_token = match (scope, &caller.identity) {
            (LogoutScope::AccessToken, Identity::Session { session, token, .. }) => Some((*session, *token)),
            (LogoutScope::AccessToken, Identity::Rejected) => return Err(Error::InvalidToken),
            (LogoutScope::AccessToken, _) => {
                return Err(Error::BadInput("An access token can be ended only by sending it.".to_owned()));
            }
            _ => None,
        };
        // Who shows an access token of that session needs no refresh token beside it.
        let shown = given.filter(|token| access_token.is_none() && caller.own_session() != Some(token.session));
        let now = self.clock.now();
        let logout = Logout {
            id: access_token.map_or(id, |(session, _)| session),
            scope,
            access_token,
            shown,
            judge: self.refresh_judge(),
            now,
            last_access_token_expires_at: now + self.access_token_lives_at_most(),
            event: self.event(caller, UserId::generate(), Kind::LoggedOut),
        };
        let ended = self.write_and_end(move |transaction| Box::pin(logout.clone().run(transaction))).await;
        // There may be a mail about a token that was used again.
        self.post.wake();
        ended
    }

    fn access_token_lives_at_most(&self) -> TimeDelta {
        let seconds = self.settings.access_token_seconds.saturating_add(self.settings.token_leeway_seconds);
        TimeDelta::seconds(seconds.into())
    }
}

/// A logout, as its transaction sees it.
#[derive(Clone)]
struct Logout {
    id: SessionId,
    scope: LogoutScope,
    access_token: Option<(SessionId, Uuid)>,
    /// All that the client has to show for itself, if it has no access token.
    shown: Option<RefreshToken>,
    judge: Judge,
    now: DateTime<Utc>,
    last_access_token_expires_at: DateTime<Utc>,
    event: account_event::ActiveModel,
}

impl Logout {
    async fn run(self, transaction: &DatabaseTransaction) -> Result<(u64, Ended), Error> {
        // Whatever has ended before stays so, and there is nothing to tell.
        let Some(session) = session::find_live(transaction, self.id, self.now).await? else {
            return Ok((0, Ended::sessions(&[self.id])));
        };
        let user = session.user_id;
        let owner = user::lock(transaction, user).await?;
        // A refresh may have been waited for.
        let now = self.judge.clock.now();
        let Some(session) = session::find_live(transaction, self.id, now).await? else {
            return Ok((0, Ended::sessions(&[self.id])));
        };
        match self.shown.map(|token| token.age(&session, now, &self.judge)) {
            None | Some(Age::Current | Age::Replaced) => {}
            Some(Age::Void) => return Ok((0, Ended::default())),
            Some(Age::Reused) => {
                let Some(owner) = owner else { return Ok((0, Ended::default())) };
                let ended = end::reused(transaction, &owner, &session, self.now, self.event).await?;
                return Ok((ended.into(), Ended::sessions(&[self.id])));
            }
        }
        let ended = match (self.scope, self.access_token) {
            (LogoutScope::AccessToken, access_token) => {
                if let Some((session, token)) = access_token {
                    let expires_at = self.last_access_token_expires_at;
                    revoked_access_token::add(transaction, token, session, expires_at).await?;
                }
                Ended { access_token, ..Ended::default() }
            }
            (LogoutScope::RefreshToken, _) => {
                let expires_at = session.expires_at.min(self.last_access_token_expires_at);
                session::end_refresh(transaction, self.id, self.now, expires_at).await?;
                Ended::default()
            }
            (LogoutScope::Session, _) => {
                // Of two who log out at once, one finds it ended.
                if session::end(transaction, &[self.id], self.now).await? == 0 {
                    return Ok((0, Ended::sessions(&[self.id])));
                }
                Ended::sessions(&[self.id])
            }
            (LogoutScope::AllSessions, _) => {
                Ended::sessions(&end::all_sessions(transaction, user, None, self.now).await?)
            }
        };
        let event = account_event::ActiveModel { user_id: Set(user), ..self.event };
        account_event::add(transaction, event.by_owner()).await?;
        Ok((u64::try_from(ended.credentials.len()).unwrap_or(u64::MAX), ended))
    }
}
