//! The end of sessions and API keys: in the database first, and then at once in what this process remembers.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

use crate::accounts::account_event::{self, ActorKind, Kind};
use crate::accounts::{Accounts, api_key, queued_mail, session, user};
use crate::error::Error;
use crate::id::{AccountEventId, SessionId, UserId};
use crate::store::{DatabaseTransaction, MAX_BATCH_ROWS};

/// What a transaction has ended, for the memory of verified tokens.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Sessions by id, API keys by [`api_key::credential`](super::api_key::credential).
    pub(super) credentials: Vec<Uuid>,
    /// One access token alone, of this session.
    pub(super) access_token: Option<(SessionId, Uuid)>,
    /// Whether it concerns a user as a whole: their role, or whether they may act.
    pub(super) user: bool,
}

impl Ended {
    /// These sessions.
    pub(super) fn sessions(ids: &[SessionId]) -> Self {
        Self { credentials: ids.iter().map(|id| id.uuid()).collect(), ..Self::default() }
    }

    /// The API keys with these hashes.
    #[must_use]
    pub fn api_keys(hashes: &[String]) -> Self {
        Self { credentials: hashes.iter().map(|hash| api_key::credential(hash)).collect(), ..Self::default() }
    }

    /// Whatever gives access to a user.
    pub(super) fn user() -> Self {
        Self { user: true, ..Self::default() }
    }
}

impl Accounts {
    /// Runs `work` in a transaction and, once it is committed, refuses what it ended. To the end, also if the client
    /// goes away in between: what is committed must be refused as well.
    ///
    /// # Errors
    /// What `work` or the database says.
    pub async fn write_and_end<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<(T, Ended), Error>> + Send + Sync + 'static,
    {
        let (database, verified) = (self.database.clone(), Arc::clone(&self.verified));
        let task = tokio::spawn(async move {
            let (value, ended) = database.write(work).await?;
            ended.credentials.into_iter().for_each(|credential| verified.end(credential));
            if let Some((session, token)) = ended.access_token {
                verified.revoke(session.uuid(), token);
            }
            if ended.user {
                verified.doubt();
            }
            Ok(value)
        });
        task.await.map_err(Error::internal)?
    }
}

/// Ends a session a refresh token of which was used again, and tells its owner: somebody has a copy, so it ends for the
/// thief and the owner alike (RFC 9700, section 4.14.2). False if it had ended already. `event` has the origin of the
/// request, which names nobody; a second event has the last origin of the session. The user is locked.
pub(super) async fn reused(
    transaction: &DatabaseTransaction,
    user: &user::Model,
    session: &session::Model,
    now: chrono::DateTime<chrono::Utc>,
    event: account_event::ActiveModel,
) -> Result<bool, Error> {
    // Of two who come at once, one has ended it already, and said so.
    if session::end(transaction, &[session.id], now).await? == 0 {
        return Ok(false);
    }
    let by_nobody = account_event::ActiveModel {
        user_id: Set(user.id),
        actor_id: Set(None),
        actor_kind: Set(Some(ActorKind::Anonymous)),
        kind: Set(Kind::RefreshTokenReused),
        ..event
    };
    let ended = account_event::ActiveModel {
        kind: Set(Kind::SessionEnded),
        ip_address: Set(session.ip_address.clone()),
        user_agent: Set(session.user_agent.clone()),
        ..by_nobody.clone()
    };
    account_event::add(transaction, ended).await?;
    let id = Set(AccountEventId::generate());
    let reused = account_event::ActiveModel { id, ..by_nobody };
    let reused = match &session.ip_address {
        Some(address) => reused.about(format!("session last used from {address}")),
        None => reused,
    };
    account_event::add(transaction, reused).await?;
    if let Some(email) = &user.email {
        queued_mail::add(transaction, queued_mail::Kind::RefreshTokenReused, email, Some(user.id), now).await?;
    }
    tracing::warn!(session = %session.id, "a refresh token was used again: its session ends");
    Ok(true)
}

/// Ends a user's live sessions but one, in a transaction that has locked the user: no login slips in between.
pub(super) async fn all_sessions(
    transaction: &DatabaseTransaction,
    user: UserId,
    but: Option<SessionId>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<SessionId>, Error> {
    let mut ids = session::lock_live_ids(transaction, user, now, None).await?;
    ids.retain(|id| Some(*id) != but);
    session::end(transaction, &ids, now).await?;
    Ok(ids)
}

/// Ends the oldest live sessions of a user who opens another one, in a transaction that has locked
/// the user: with the new one there are `max` then. Of very many, as an earlier version left them,
/// it ends [`MAX_BATCH_ROWS`].
pub(super) async fn oldest_sessions(
    transaction: &DatabaseTransaction,
    user: UserId,
    max: u32,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<SessionId>, Error> {
    let ids = session::lock_oldest_ids(transaction, user, now, u64::from(max).saturating_sub(1)).await?;
    session::end(transaction, &ids, now).await?;
    Ok(ids)
}

/// Ends some of a user's live sessions, at most [`MAX_BATCH_ROWS`]; how many.
pub(super) async fn some_sessions(
    transaction: &DatabaseTransaction,
    user: UserId,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<usize, Error> {
    let ids = session::lock_live_ids(transaction, user, now, Some(MAX_BATCH_ROWS as u64)).await?;
    session::end(transaction, &ids, now).await?;
    Ok(ids.len())
}
