//! Who acts in the console.

use anyhow::anyhow;

use crate::accounts::Accounts;
use crate::accounts::user::{Model, Role};
use crate::caller::{Caller, Identity};
use crate::cli::fault::fault;
use crate::cli::terminal::visible;
use crate::id::UserId;

/// Whoever the console acts as.
#[derive(Clone, Debug, Default)]
pub(super) enum Actor {
    /// Without any rights.
    #[default]
    Nobody,
    User {
        id: UserId,
        username: String,
    },
}

impl Actor {
    /// The user with this username, e-mail address or id, and what is to be known of them.
    pub(super) async fn find(accounts: &Accounts, who: &str) -> anyhow::Result<(Self, String)> {
        let user = look_up(accounts, who).await?.ok_or_else(|| anyhow!("there is no user {}", visible(who)))?;
        let state = [
            (user.role == Role::Admin, "an administrator"),
            (user.suspended_at.is_some(), "suspended: their own requests are refused"),
            (user.deleted_at.is_some(), "deleted: gone for everybody"),
            (user.unconfirmed_until.is_some(), "still to be confirmed: nobody yet"),
        ];
        let state: Vec<&str> = state.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
        let state = if state.is_empty() { String::new() } else { format!(" ({})", state.join("; ")) };
        let told = format!("{} {}{state}", visible(&user.username), user.id);
        Ok((Self::User { id: user.id, username: user.username }, told))
    }

    /// As the prompt shows them.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Nobody => "nobody".to_owned(),
            Self::User { username, .. } => visible(username).into_owned(),
        }
    }

    /// As the verbs know them, with the rights that they have by now.
    pub(super) async fn caller(&self, accounts: &Accounts) -> anyhow::Result<Caller> {
        let Self::User { id, .. } = self else { return Ok(Caller::anonymous()) };
        let user = look_up(accounts, &id.to_string()).await?.ok_or_else(|| anyhow!("{} is no more", self.name()))?;
        let identity = Identity::Impersonated { user: user.id, admin: user.role == Role::Admin };
        Ok(Caller { identity, ..Caller::anonymous() })
    }
}

async fn look_up(accounts: &Accounts, who: &str) -> anyhow::Result<Option<Model>> {
    accounts.find_account(&Caller::operator(), who).await.map_err(fault)
}
