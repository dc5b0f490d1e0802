//! Everything that grants access to an account: sessions, API keys, links in emails, and queued
//! emails that will contain links.
//!
//! [`end`] is the only function that ends several of them. It runs in a transaction that has locked
//! the user, so that no login or new key slips in between. The [`Ended`] that it returns carries the
//! rest past the commit: cached tokens and open connections.

use chrono::{DateTime, Utc};

use crate::accounts::end::{self, Ended};
use crate::accounts::{api_key, email_token, queued_mail, user};
use crate::error::Error;
use crate::id::SessionId;
use crate::store::DatabaseTransaction;

/// The sessions of a user after a change of their credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionsAfter {
    /// All sessions stay live.
    Keep,
    /// All sessions end.
    EndAll,
    /// All sessions but this one end.
    EndAllBut(SessionId),
}

/// The API keys of a user after a change of their credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeysAfter {
    /// All API keys stay valid.
    Keep,
    /// All API keys are revoked.
    EndAll,
}

/// The access that remains after a change of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccessAfter {
    pub(super) sessions: SessionsAfter,
    pub(super) api_keys: ApiKeysAfter,
    pub(super) own_address_links: OwnAddressLinks,
}

/// The links that confirm the address that the account already has. They grant no access to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnAddressLinks {
    Keep,
    End,
}

impl AccessAfter {
    /// No access remains.
    pub(super) const NONE: Self = Self {
        sessions: SessionsAfter::EndAll,
        api_keys: ApiKeysAfter::EndAll,
        own_address_links: OwnAddressLinks::End,
    };
}

/// Ends the access of a user that does not remain, in a transaction that has locked the user.
pub(super) async fn end(
    transaction: &DatabaseTransaction,
    user: &user::Model,
    after: AccessAfter,
    now: DateTime<Utc>,
) -> Result<Ended, Error> {
    let mut ended = match after.sessions {
        SessionsAfter::Keep => Ended::default(),
        SessionsAfter::EndAll => Ended::sessions(&end::all_sessions(transaction, user.id, None, now).await?),
        SessionsAfter::EndAllBut(kept) => {
            Ended::sessions(&end::all_sessions(transaction, user.id, Some(kept), now).await?)
        }
    };
    if after.api_keys == ApiKeysAfter::EndAll {
        let keys = api_key::end_all(transaction, user.id).await?;
        ended.credentials.extend(Ended::api_keys(&keys).credentials);
    }
    email_token::remove_all(transaction, email_token::Kind::ResetPassword, user.id).await?;
    queued_mail::remove_resets(transaction, user).await?;
    // An account that is still unconfirmed has no address yet: its link is the only way to one.
    if user.unconfirmed_until.is_none() {
        let kept = user.email.as_deref().filter(|_| after.own_address_links == OwnAddressLinks::Keep);
        email_token::remove_changes(transaction, user.id, kept).await?;
        queued_mail::remove_changes(transaction, user.id, kept).await?;
    }
    Ok(ended)
}
