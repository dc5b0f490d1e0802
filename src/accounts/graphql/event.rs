//! The audit log in the schema.

use async_graphql::connection::{Connection, Edge, EmptyFields, PageInfo};
use async_graphql::{Enum, ID, Object};

use crate::accounts::account_event;
use crate::page::{self, Page, page_info};
use crate::scalars::DateTime;

/// What was done to an account.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "account_event::Kind")]
pub enum AccountEventKind {
    /// The account was made.
    SignedUp,
    /// A session was opened.
    LoggedIn,
    /// Somebody tried to sign in with a wrong password.
    LoginFailed,
    /// A session, or a part of it, was ended by a logout.
    LoggedOut,
    /// A session's tokens were replaced.
    TokensRefreshed,
    /// A refresh token was used again long after it was replaced: somebody has a copy, so the session was ended.
    RefreshTokenReused,
    /// The password was changed by whoever knew it.
    PasswordChanged,
    /// The password was set by whoever reads the mails.
    PasswordReset,
    /// Another e-mail address was confirmed.
    EmailChanged,
    /// The e-mail address was confirmed.
    EmailVerified,
    /// A session was ended from another one, or by a login beyond the most sessions of a user.
    SessionEnded,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// An administrator changed the role.
    RoleChanged,
    /// An administrator shut the user out.
    Suspended,
    /// An administrator let the user in again.
    Reinstated,
    /// An operator brought the deleted account back.
    Restored,
    /// An operator advanced counters of the account, as after a restore.
    CounterAdvanced,
}

/// An entry of the account's audit log.
#[derive(Clone, Debug)]
pub struct AccountEvent(pub account_event::Model);

/// An entry of the account's audit log.
#[Object]
impl AccountEvent {
    /// Global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }
    /// What was done.
    async fn kind(&self) -> AccountEventKind {
        self.0.kind.into()
    }
    /// The network address from which it was done; null where that is not known.
    async fn ip_address(&self) -> Option<&str> {
        self.0.ip_address.as_deref()
    }
    /// The program with which it was done: its User-Agent, at most 256 characters.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }
    /// When it was done.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

/// A page of an audit log.
pub struct AccountEventConnection(Connection<String, AccountEvent>);

impl AccountEventConnection {
    /// What its cursors say that they are of.
    pub const LIST: &'static str = "events";
}

impl From<Page<account_event::Model>> for AccountEventConnection {
    fn from(page: Page<account_event::Model>) -> Self {
        Self(page.connection(|row| (page::cursor(Self::LIST, &row.id.to_string()), AccountEvent(row))))
    }
}

/// A page of an audit log.
#[Object]
impl AccountEventConnection {
    /// The entries, each with its cursor.
    async fn edges(&self) -> &[Edge<String, AccountEvent, EmptyFields>] {
        &self.0.edges
    }
    /// The entries.
    async fn nodes(&self) -> Vec<&AccountEvent> {
        self.0.edges.iter().map(|edge| &edge.node).collect()
    }
    /// Where the page is in the list.
    async fn page_info(&self) -> PageInfo {
        page_info(&self.0)
    }
}
