//! What an operator is shown of one account, and of all of them together.

use std::collections::HashMap;

use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::accounts::{Accounts, account_event, api_key, session, user};
use crate::caller::Caller;
use crate::error::Error;
use crate::id::UserId;

/// Entries of the audit log that are shown.
const EVENTS: u64 = 20;

/// An account and what gives access to it.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Whose it is.
    pub user: user::Model,
    /// The live sessions, the newest first.
    pub sessions: Vec<session::Model>,
    /// The live API keys, the newest first.
    pub api_keys: Vec<api_key::Model>,
    /// The latest entries of the audit log, the newest first, each with the username of whoever did it, if it was a
    /// user who is still there.
    pub events: Vec<(account_event::Model, Option<String>)>,
}

impl Accounts {
    /// An account, whatever has become of it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::NotFound`].
    pub async fn inspect(&self, caller: &Caller, id: UserId) -> Result<Inspected, Error> {
        caller.require_operator()?;
        let (reader, now) = (self.database.reader(), self.clock.now());
        let user = user::find_by_id(reader, id).await?.ok_or(Error::NotFound("user"))?;
        let sessions = session::list_live(reader, id, now, self.settings.max_sessions).await?;
        let api_keys = api_key::list_live(reader, id, now).await?;
        let events = account_event::of(id).order_by_desc(account_event::Column::Id).limit(EVENTS).all(reader).await?;
        let actors = user::list_usernames(reader, events.iter().filter_map(|event| event.actor_id)).await?;
        let actors: HashMap<UserId, String> = actors.into_iter().collect();
        let by = |event: &account_event::Model| actors.get(&event.actor_id?).cloned();
        let events = events.into_iter().map(|event| (event.clone(), by(&event))).collect();
        Ok(Inspected { user, sessions, api_keys, events })
    }

    /// Whether there is an administrator, who could make others one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn has_admin(&self) -> Result<bool, Error> {
        user::any_admin(self.database.reader()).await
    }
}
