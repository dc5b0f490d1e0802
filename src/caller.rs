//! Who is asking, from where, and what they may do. Verbs take a [`Caller`] and authorise on their first line.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use uuid::Uuid;

use crate::error::Error;
use crate::id::{ApiKeyId, SessionId, UserId};

/// Who a request comes from.
#[derive(Clone, Debug)]
pub struct Caller {
    /// As whom they act.
    pub identity: Identity,
    /// Where they are.
    pub origin: Origin,
    /// Under which key what can be done once is done once: the request's `Idempotency-Key` header.
    pub idempotency_key: Option<Arc<str>>,
}

/// As whom somebody acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// No user: the request carried no credential.
    Anonymous,
    /// No user: the request carried a credential that was rejected. Operations that need no user run as for
    /// [`Identity::Anonymous`]; the others end in [`Error::InvalidToken`].
    Rejected,
    /// A user, by the access token of a live session.
    Session {
        /// The user who signed in.
        user: UserId,
        /// The session that the access token belongs to.
        session: SessionId,
        /// The access token's `jti` claim.
        token: Uuid,
        /// Whether they administer.
        rights: Rights,
    },
    /// A program, by an API key of a user's.
    ApiKey {
        /// The user whose key it is.
        user: UserId,
        /// The key.
        key: ApiKeyId,
        /// Its scopes.
        rights: Rights,
        /// The only counter that it may touch, if it is limited to one.
        counter: Option<Arc<str>>,
    },
    /// Somebody at the server's own command line, who acts as this user.
    Impersonated {
        /// The user.
        user: UserId,
        /// Whether they administer.
        admin: bool,
    },
    /// Somebody at the server's own command line: no user, and every right of an administrator.
    Operator,
}

impl Identity {
    /// The session, if it is one.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Session { session, .. } => Some(*session),
            _ => None,
        }
    }
}

/// Where a request comes from, for the audit log and the limits.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's address, as far as it can be trusted, or that of the proxy that does not tell it.
    pub address: Option<IpAddr>,
    /// Whether others come from this address as well: it is a proxy's, or this machine's.
    pub shared: bool,
    /// What the client's program calls itself, cut to [`MAX_USER_AGENT_CHARS`].
    pub user_agent: Option<Arc<str>>,
    /// The base of URLs in the response, without a trailing slash: the scheme and host of the request, if
    /// `server.public_url` is not set.
    pub base_url: Option<Arc<str>>,
}

impl Origin {
    /// The client's own address: what may be held against it, or in its favour.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        self.address.filter(|_| !self.shared)
    }

    /// What the client has for itself, by which it is counted.
    #[must_use]
    pub fn block(&self) -> Option<IpAddr> {
        self.client().map(block)
    }
}

/// What one client holds for itself: an IPv4 address, or the /64 in which it may take any address (RFC 6177).
#[must_use]
pub fn block(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// Characters of a `User-Agent` that are kept.
pub const MAX_USER_AGENT_CHARS: usize = 256;

/// What an API key may do. A session may do all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// See the account and other users.
    AccountRead = 1,
    /// See counters.
    CountersRead = 1 << 1,
    /// Take numbers.
    CountersNext = 1 << 2,
    /// Set, create and delete counters.
    CountersWrite = 1 << 3,
    /// See own photos and drafts.
    PhotosRead = 1 << 4,
    /// Upload, edit, publish and delete photos.
    PhotosWrite = 1 << 5,
}

impl Scope {
    /// All of them, in the schema's order.
    pub const ALL: [Self; 6] = [
        Self::AccountRead,
        Self::CountersRead,
        Self::CountersNext,
        Self::CountersWrite,
        Self::PhotosRead,
        Self::PhotosWrite,
    ];

    /// Its name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AccountRead => "ACCOUNT_READ",
            Self::CountersRead => "COUNTERS_READ",
            Self::CountersNext => "COUNTERS_NEXT",
            Self::CountersWrite => "COUNTERS_WRITE",
            Self::PhotosRead => "PHOTOS_READ",
            Self::PhotosWrite => "PHOTOS_WRITE",
        }
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether `scope` is in it.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }

    /// Its scopes, in the schema's order.
    pub fn list(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// As the database keeps it.
    #[must_use]
    pub fn bits(self) -> i16 {
        self.0.into()
    }

    /// Back from [`Scopes::bits`]; what is unknown is left out.
    #[must_use]
    pub fn from_bits(bits: i16) -> Self {
        Scope::ALL.into_iter().filter(|scope| bits & i16::from(*scope as u8) != 0).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope as u8))
    }
}

/// The rights of a session or an API key, shared by all operations that run with it. An update reaches those that are
/// running, such as subscriptions.
#[derive(Clone, Debug, Default)]
pub struct Rights(Arc<AtomicU16>);

/// Marks an administrator. The lower bits are [`Scopes`].
const ADMIN: u16 = 1 << 8;

impl Rights {
    /// The rights of a session.
    #[must_use]
    pub fn of_session(is_admin: bool) -> Self {
        let rights = Self::default();
        rights.set_admin(is_admin);
        rights
    }

    /// The rights of an API key.
    #[must_use]
    pub fn of_api_key(scopes: Scopes) -> Self {
        let rights = Self::default();
        rights.set_scopes(scopes);
        rights
    }

    /// Returns true if the user administers.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ADMIN
    }

    /// The scopes of an API key.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        Scopes::from_bits(i16::from_ne_bytes(self.0.load(Ordering::Relaxed).to_ne_bytes()))
    }

    /// Updates the rights of a session.
    pub fn set_admin(&self, is_admin: bool) {
        self.0.store(if is_admin { ADMIN } else { 0 }, Ordering::Relaxed);
    }

    /// Updates the rights of an API key.
    pub fn set_scopes(&self, scopes: Scopes) {
        self.0.store(scopes.0.into(), Ordering::Relaxed);
    }

    /// Returns true if anything else shares these rights.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl PartialEq for Rights {
    fn eq(&self, other: &Self) -> bool {
        self.0.load(Ordering::Relaxed) == other.0.load(Ordering::Relaxed)
    }
}

impl Eq for Rights {}

impl Caller {
    /// Nobody, from nowhere in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { identity: Identity::Anonymous, ..Self::operator() }
    }

    /// Somebody at the server's own command line.
    #[must_use]
    pub fn operator() -> Self {
        Self { identity: Identity::Operator, origin: Origin::default(), idempotency_key: None }
    }

    /// The user who asks, in whatever way.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in; [`Error::InvalidToken`] when the credential was rejected.
    pub fn user(&self) -> Result<UserId, Error> {
        match self.identity {
            Identity::Session { user, .. } | Identity::ApiKey { user, .. } | Identity::Impersonated { user, .. } => {
                Ok(user)
            }
            Identity::Anonymous | Identity::Operator => Err(Error::Unauthenticated),
            Identity::Rejected => Err(Error::InvalidToken),
        }
    }

    /// The user who asks, if this is within what they may do.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in; [`Error::Forbidden`] for an API key without `scope`, or
    /// one that is limited to a counter.
    pub fn require(&self, scope: Scope) -> Result<UserId, Error> {
        match &self.identity {
            Identity::ApiKey { counter: Some(_), .. } => Err(Error::limited_to_counter()),
            _ => self.require_some(scope),
        }
    }

    /// The user who asks, if this is within what they may do with the counter of this name.
    ///
    /// # Errors
    /// As [`Caller::require`], but for a key that is limited to this very counter.
    pub fn require_on(&self, scope: Scope, counter: &str) -> Result<UserId, Error> {
        match &self.identity {
            Identity::ApiKey { counter: Some(only), .. } if **only != *counter => Err(Error::limited_to_counter()),
            _ => self.require_some(scope),
        }
    }

    /// The user who asks, if this is within what they may do with one counter at least.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in; [`Error::Forbidden`] for an API key without `scope`.
    pub fn require_some(&self, scope: Scope) -> Result<UserId, Error> {
        match &self.identity {
            Identity::ApiKey { rights, .. } if !rights.scopes().has(scope) => {
                Err(Error::Forbidden(format!("The API key lacks the scope {}.", scope.name())))
            }
            _ => self.user(),
        }
    }

    /// The user who asks, if they ask themselves: an API key does not change its owner's account.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in; [`Error::Forbidden`] for an API key.
    pub fn in_person(&self) -> Result<UserId, Error> {
        match self.identity {
            Identity::ApiKey { .. } => Err(Error::Forbidden("An API key cannot do this: sign in.".to_owned())),
            _ => self.user(),
        }
    }

    /// Returns true if the request carried a credential that was rejected.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.identity == Identity::Rejected
    }

    /// The session that asks.
    ///
    /// # Errors
    /// As [`Caller::in_person`], and [`Error::Forbidden`] at the command line, which has no session.
    pub fn session(&self) -> Result<SessionId, Error> {
        self.in_person()?;
        self.own_session().ok_or_else(|| Error::Forbidden("There is no session here.".to_owned()))
    }

    /// The session that asks, if it is one.
    #[must_use]
    pub fn own_session(&self) -> Option<SessionId> {
        self.identity.session()
    }

    /// The administrator who asks; `None` for an operator, who is no user.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in; [`Error::Forbidden`] for everybody else.
    pub fn admin(&self) -> Result<Option<UserId>, Error> {
        match self.identity {
            Identity::Operator => Ok(None),
            _ if self.is_admin() => self.user().map(Some),
            _ => {
                self.user()?;
                Err(Error::Forbidden("Only an administrator can do this.".to_owned()))
            }
        }
    }

    /// Whether it is an operator, at the server's own command line, who asks.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody else.
    pub fn require_operator(&self) -> Result<(), Error> {
        match self.identity {
            Identity::Operator => Ok(()),
            _ => Err(Error::Forbidden("Only an operator can do this.".to_owned())),
        }
    }

    /// The idempotency key of a mutation: its argument, or the request's header. If there are both and they differ, an
    /// empty key, which every operation refuses.
    #[must_use]
    pub fn idempotency_key_or(&self, argument: Option<String>) -> Option<Arc<str>> {
        match (&self.idempotency_key, argument) {
            (Some(header), Some(argument)) if **header != *argument => Some("".into()),
            (Some(header), _) => Some(Arc::clone(header)),
            (None, argument) => argument.map(Arc::from),
        }
    }

    /// Whether an administrator asks.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match &self.identity {
            Identity::Session { rights, .. } => rights.is_admin(),
            Identity::Impersonated { admin, .. } => *admin,
            Identity::Operator => true,
            Identity::Anonymous | Identity::Rejected | Identity::ApiKey { .. } => false,
        }
    }
}
