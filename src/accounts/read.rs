//! What the caller sees of their own account: sessions, API keys, the audit log.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::accounts::account_event::{self, Column};
use crate::accounts::{Accounts, api_key, session};
use crate::caller::{Caller, Scope};
use crate::error::Error;
use crate::id::{AccountEventId, SessionId};
use crate::page::{Page, Window};

impl Accounts {
    /// The caller's live sessions, the newest first, at most `accounts.max_sessions`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] without `ACCOUNT_READ`.
    pub async fn list_sessions(&self, caller: &Caller) -> Result<Vec<session::Model>, Error> {
        let user = caller.require(Scope::AccountRead)?;
        let (reader, max) = (self.database.reader(), self.settings.max_sessions);
        let sessions = session::list_live(reader, user, self.clock.now(), max).await?;
        Ok(sessions.into_iter().map(|session| self.with_latest_use(session)).collect())
    }

    /// A live session of the caller's.
    ///
    /// # Errors
    /// As [`Accounts::list_sessions`].
    pub async fn find_session(&self, caller: &Caller, id: SessionId) -> Result<Option<session::Model>, Error> {
        let user = caller.require(Scope::AccountRead)?;
        let session = session::find_live(self.database.reader(), id, self.clock.now()).await?;
        Ok(session.filter(|session| session.user_id == user).map(|session| self.with_latest_use(session)))
    }

    /// The caller's live API keys, the newest first.
    ///
    /// # Errors
    /// As [`Accounts::list_sessions`].
    pub async fn list_api_keys(&self, caller: &Caller) -> Result<Vec<api_key::Model>, Error> {
        let user = caller.require(Scope::AccountRead)?;
        let keys = api_key::list_live(self.database.reader(), user, self.clock.now()).await?;
        Ok(keys.into_iter().map(|key| self.with_latest_key_use(key)).collect())
    }

    /// A page of the caller's audit log, the newest first.
    ///
    /// # Errors
    /// As [`Accounts::list_sessions`]; [`Error::BadInput`] for a cursor of another list.
    pub async fn list_events(&self, caller: &Caller, window: &Window) -> Result<Page<account_event::Model>, Error> {
        let mut events = account_event::of(caller.require(Scope::AccountRead)?);
        let key = |key: &String| {
            let id = AccountEventId::parse(key);
            id.ok_or_else(|| Error::BadInput("This is not a cursor of this list.".to_owned()))
        };
        // The newest first: behind a cursor are the smaller ids.
        if let Some(after) = &window.after {
            events = events.filter(Column::Id.lt(key(after)?));
        }
        if let Some(before) = &window.before {
            events = events.filter(Column::Id.gt(key(before)?));
        }
        let events = match window.backward {
            true => events.order_by_asc(Column::Id),
            false => events.order_by_desc(Column::Id),
        };
        Ok(window.page(events.limit(window.limit()).all(self.database.reader()).await?))
    }

    /// Those of `ids` that are in the caller's audit log, in no order.
    ///
    /// # Errors
    /// As [`Accounts::list_sessions`].
    pub async fn list_events_by_ids(
        &self,
        caller: &Caller,
        ids: &[AccountEventId],
    ) -> Result<Vec<account_event::Model>, Error> {
        let events = account_event::of(caller.require(Scope::AccountRead)?);
        Ok(events.filter(Column::Id.is_in(ids.iter().copied())).all(self.database.reader()).await?)
    }

    /// What is known here of its use, but not written down yet.
    pub(super) fn with_latest_use(&self, mut session: session::Model) -> session::Model {
        session.last_used_at = self.verified.used_at(session.id.uuid()).max(session.last_used_at);
        session
    }

    /// As [`Accounts::with_latest_use`].
    pub(super) fn with_latest_key_use(&self, mut key: api_key::Model) -> api_key::Model {
        key.last_used_at = self.verified.used_at(key.id.uuid()).max(key.last_used_at);
        key
    }
}
