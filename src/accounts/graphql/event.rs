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
    /// A wrong password was given.
    LoginFailed,
    /// A session, or a part of it, was ended by a logout.
    LoggedOut,
    /// A session's tokens were replaced.
    TokensRefreshed,
    /// A refresh token that had been replaced shortly before was sent again, from another address than the session's
    /// last one. It got the same tokens as before.
    RefreshTokenReplayed,
    /// A refresh token was sent again after its successor was used: somebody has a copy, so the session was ended. The
    /// address is that of this request; the SESSION_ENDED beside it has the session's last one.
    RefreshTokenReused,
    /// The password was changed by whoever knew it.
    PasswordChanged,
    /// The password was set by whoever reads the mails.
    PasswordReset,
    /// Another e-mail address was confirmed, or the account lost one that somebody else has confirmed.
    EmailChanged,
    /// The e-mail address was confirmed.
    EmailVerified,
    /// A session was ended from another one, by a login beyond the most sessions of a user, or because a refresh token
    /// of it was sent again.
    SessionEnded,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// An administrator changed the role.
    RoleChanged,
    /// An administrator shut the user out.
    Suspended,
    /// An administrator lifted the suspension.
    Reinstated,
    /// The deleted account was brought back, by its owner or an operator.
    Restored,
    /// An operator advanced counters of the account, as after a restore.
    CounterAdvanced,
    /// The username or the display name was changed; the subject names the fields.
    ProfileUpdated,
    /// Another e-mail address was requested.
    EmailChangeRequested,
    /// Another email with a link to confirm the address was requested.
    VerificationRequested,
    /// A link to choose a new password was requested.
    PasswordResetRequested,
    /// The account was deleted. It can be restored within the time of grace.
    AccountDeleted,
    /// A counter was created; the subject is its name.
    CounterCreated,
    /// A counter was deleted; the subject is its name.
    CounterDeleted,
    /// A counter was set to another integer; the subject is its name and the integer. Added within some
    /// seconds.
    CounterSet,
}

/// The kind of actor of an audit log entry.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "account_event::ActorKind")]
pub enum AccountEventActor {
    /// The account's owner.
    User,
    /// An API key of the owner.
    ApiKey,
    /// Another user, who is an administrator.
    Administrator,
    /// An operator at the server's command line.
    Operator,
    /// An operator who acted as the user, in `cloakroom console`.
    Console,
    /// A client that was not signed in.
    Anonymous,
}

/// An entry of the account's audit log.
#[derive(Clone, Debug)]
pub struct AccountEvent(pub account_event::Model);

/// An entry of the account's audit log, which keeps the newest 1,000 of each kind.
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
    /// The kind of actor; null in entries that an earlier version of the server added.
    async fn actor(&self) -> Option<AccountEventActor> {
        self.0.actor_kind.map(AccountEventActor::from)
    }
    /// The object of the action, such as the beginning and the name of an API key, in at most 255 characters; null for
    /// the account itself.
    async fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
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
