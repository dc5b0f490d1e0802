//! Who is asking. Verbs take a [`Caller`] and authorise on their first line.

use uuid::Uuid;

use crate::error::Error;
use crate::id::{SessionId, UserId};

/// Who a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody signed in.
    Anonymous,
    /// A user, by the access token of a live session.
    Session {
        /// The user who signed in.
        user: UserId,
        /// The session that the access token belongs to.
        session: SessionId,
        /// The access token's `jti` claim.
        token: Uuid,
    },
}

impl Caller {
    /// The user who asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in.
    pub fn user(&self) -> Result<UserId, Error> {
        match self {
            Self::Session { user, .. } => Ok(*user),
            Self::Anonymous => Err(Error::Unauthenticated),
        }
    }

    /// The session that asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in.
    pub fn session(&self) -> Result<SessionId, Error> {
        match self {
            Self::Session { session, .. } => Ok(*session),
            Self::Anonymous => Err(Error::Unauthenticated),
        }
    }
}
