//! `logout`: the end of a session, or of a part of it, at once and for good.

use std::sync::Arc;

use chrono::TimeDelta;
use uuid::Uuid;

use crate::accounts::{Accounts, revoked_access_token, session};
use crate::caller::{Caller, Identity};
use crate::error::Error;
use crate::id::{SessionId, UserId};

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
    /// # Errors
    /// [`Error::Unauthenticated`] without a caller and a refresh token; [`Error::BadInput`] for a refresh token that
    /// is not ours, or for `AccessToken` without a caller.
    pub async fn logout(&self, caller: &Caller, scope: LogoutScope, refresh_token: Option<&str>) -> Result<u64, Error> {
        let given = refresh_token.map(|text| self.read_refresh_token(text)).transpose();
        let given = given.map_err(|error| Error::BadInput(error.message()))?;
        let id = given.map_or_else(|| caller.session(), |token| Ok(token.session))?;
        match (scope, &caller.identity) {
            (LogoutScope::AccessToken, Identity::Session { session, token, .. }) => {
                self.end_access_token(*session, *token).await
            }
            (LogoutScope::AccessToken, _) => {
                Err(Error::BadInput("An access token can be ended only by sending it.".to_owned()))
            }
            (LogoutScope::RefreshToken, _) => self.end_refresh_token(id).await,
            (LogoutScope::Session, _) => self.end_sessions(vec![id]).await,
            (LogoutScope::AllSessions, _) => match self.owner(id).await? {
                Some(user) => self.end_all_sessions(user).await,
                None => Ok(0),
            },
        }
    }

    /// Ends these sessions. To the end, also if the client goes away in between: what is committed must be
    /// marked as well.
    pub(super) async fn end_sessions(&self, ids: Vec<SessionId>) -> Result<u64, Error> {
        let (database, verified, now) = (self.database.clone(), Arc::clone(&self.verified), self.clock.now());
        let task = tokio::spawn(async move {
            let ending = ids.clone();
            let ended = database.write(move |transaction| {
                let ids = ending.clone();
                Box::pin(async move { session::end(transaction, &ids, now).await })
            });
            let ended = ended.await?;
            ids.into_iter().for_each(|id| verified.end(id.uuid()));
            Ok(ended)
        });
        task.await.map_err(Error::internal)?
    }

    async fn end_all_sessions(&self, user: UserId) -> Result<u64, Error> {
        let ids = session::list_live_ids(self.database.reader(), user, self.clock.now()).await?;
        self.end_sessions(ids).await
    }

    async fn end_access_token(&self, session: SessionId, token: Uuid) -> Result<u64, Error> {
        let (database, verified, now) = (self.database.clone(), Arc::clone(&self.verified), self.clock.now());
        let expires_at = now + self.access_token_lives_at_most();
        let task = tokio::spawn(async move {
            let revoked = database.write(move |transaction| {
                Box::pin(revoked_access_token::add(transaction, token, session, now, expires_at))
            });
            revoked.await?;
            verified.revoke(session.uuid(), token);
            Ok(0)
        });
        task.await.map_err(Error::internal)?
    }

    async fn end_refresh_token(&self, id: SessionId) -> Result<u64, Error> {
        let now = self.clock.now();
        let last_access_token_expires_at = now + self.access_token_lives_at_most();
        let ended = self.database.write(move |transaction| {
            Box::pin(async move {
                if let Some(session) = session::find_live(transaction, id, now).await? {
                    let expires_at = session.expires_at.min(last_access_token_expires_at);
                    session::end_refresh(transaction, id, now, expires_at).await?;
                }
                Ok(0)
            })
        });
        ended.await
    }

    async fn owner(&self, id: SessionId) -> Result<Option<UserId>, Error> {
        let session = session::find_live(self.database.reader(), id, self.clock.now()).await?;
        Ok(session.map(|session| session.user_id))
    }

    fn access_token_lives_at_most(&self) -> TimeDelta {
        let seconds = self.settings.access_token_seconds.saturating_add(self.settings.token_leeway_seconds);
        TimeDelta::seconds(seconds.into())
    }
}
