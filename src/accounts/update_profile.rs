//! `updateProfile`: another username or display name.

use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::{Accounts, identity, user, username_skeleton};
use crate::caller::Caller;
use crate::error::Error;
use crate::id::UserId;

/// What to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct UpdateProfile {
    /// Another username.
    pub username: Option<String>,
    /// Another display name; `Some(None)` removes it.
    pub display_name: Option<Option<String>>,
}

impl Accounts {
    /// Changes the caller's own profile.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key; [`Error::Invalid`] for what cannot be or is
    /// taken; [`Error::NotFound`] for somebody who is shut out meanwhile.
    pub async fn update_profile(&self, caller: &Caller, input: UpdateProfile) -> Result<user::Model, Error> {
        let id = caller.in_person()?;
        self.change_profile(caller, id, input, user::Model::may_act).await
    }

    /// Changes the profile of a user who is `still` so, whatever happened since it was asked for.
    pub(super) async fn change_profile(
        &self,
        caller: &Caller,
        id: UserId,
        input: UpdateProfile,
        still: fn(&user::Model) -> bool,
    ) -> Result<user::Model, Error> {
        let (mut faults, now) = (Vec::new(), self.clock.now());
        let username = input.username.as_deref().map(|text| identity::username("username", text)).transpose();
        let username = username.map_err(|fault| faults.push(fault)).ok().flatten();
        let name =
            input.display_name.map(|name| name.as_deref().map(|text| identity::name("displayName", text)).transpose());
        let name = name.transpose().map_err(|fault| faults.push(fault)).ok().flatten();
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let fields = [username.as_ref().map(|_| "username"), name.as_ref().map(|_| "displayName")];
        let fields = fields.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let event = self.event(caller, id, Kind::ProfileUpdated).about(fields);
        let changed = self.database.write(move |transaction| {
            let (username, name, event) = (username.clone(), name.clone(), event.clone());
            Box::pin(async move {
                let locked = user::lock(transaction, id).await?.filter(still).ok_or(Error::NotFound("user"))?;
                let mut row = user::ActiveModel { id: Set(id), updated_at: Set(now), ..Default::default() };
                let skeleton = locked.username_skeleton;
                let renamed = username.as_ref().map(|username| username.text.clone());
                let key = username.as_ref().map_or(locked.username_key, |username| username.key.clone());
                let shown = name.clone().unwrap_or(locked.name);
                row.search_key = Set(user::search_key(&key, shown.as_deref()));
                if let Some(username) = username {
                    row.username_skeleton = Set(username_skeleton::shared(&username.text));
                    (row.username, row.username_key) = (Set(username.text), Set(username.key));
                }
                if let Some(name) = name {
                    row.name = Set(name);
                }
                let user = row.update(transaction).await.map_err(user::taken)?;
                if let Some(username) = renamed {
                    username_skeleton::release(transaction, id, skeleton.as_deref()).await?;
                    username_skeleton::claim(transaction, id, &username).await?;
                }
                account_event::add(transaction, event).await?;
                Ok(user)
            })
        });
        changed.await
    }
}
