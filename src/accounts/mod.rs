//! Accounts: people, and the sessions in which they act.
//!
//! `signUp` and `login` check a password and open a **session**, a row that ends when it is ended. Its bearer
//! holds two tokens: a short-lived **access token**, a signed JWT that names the session, and a **refresh
//! token**, which `refreshTokens` exchanges for the next pair. `authenticate` turns the access token of a
//! request into a [`Caller`](crate::caller::Caller).
//!
//! The hot path reads no database and checks no signature: a token once verified is remembered, together
//! with its session's liveness. `logout` commits first and then marks that liveness, so no request that
//! begins after its answer gets through; a restart forgets what was remembered and asks the row again.
//!
//! **Invariant:** a session is live exactly as long as its row says so; memory may only be stricter.
//! **Invariant:** passwords are hashed in a bounded pool, off the runtime's threads, and an unknown
//! identifier costs the same hash as a known one.
//! **Invariant:** uniqueness is the database's: nothing is looked up first and inserted afterwards.

pub mod api_key;
mod authenticate;
mod find_account;
mod find_user;
pub mod graphql;
mod identity;
pub mod loader;
mod login;
mod logout;
mod password;
mod refresh;
mod refresh_token;
pub mod revoked_access_token;
pub mod session;
mod sign_up;
pub mod signing_keys;
mod token;
pub mod user;

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sea_orm::DatabaseTransaction;

use crate::clock::Clock;
use crate::config;
use crate::error::Error;
use crate::id::UserId;
use crate::store::Database;

pub use login::Login;
pub use logout::LogoutScope;
pub use password::Password;
pub use sign_up::SignUp;
pub use token::Tokens;

use authenticate::VerifiedTokens;
use password::Passwords;
use refresh_token::RefreshKey;
use signing_keys::SigningKeys;

/// What another slice adds to a new user, in the transaction that makes them.
pub type Furnish = for<'t> fn(&'t DatabaseTransaction, UserId, &'t Clock) -> BoxFuture<'t, Result<(), Error>>;

/// The accounts of one server.
pub struct Accounts {
    database: Database,
    clock: Clock,
    settings: config::Accounts,
    passwords: Passwords,
    keys: SigningKeys,
    refresh_key: RefreshKey,
    verified: Arc<VerifiedTokens>,
    furnish: Furnish,
}

impl Accounts {
    /// Opens the signing keys below `data_dir`, making the first one where there is none.
    ///
    /// # Errors
    /// Keys that cannot be read or written.
    pub fn open(
        database: Database,
        clock: Clock,
        settings: config::Accounts,
        data_dir: &Path,
        furnish: Furnish,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            passwords: Passwords::new(&settings)?,
            keys: SigningKeys::open(&data_dir.join("keys"))?,
            refresh_key: RefreshKey::open(&data_dir.join("keys"))?,
            verified: Arc::new(VerifiedTokens::new(settings.cached_tokens)),
            database,
            clock,
            settings,
            furnish,
        })
    }

    /// The public halves of the signing keys, as a JWK Set (RFC 7517).
    ///
    /// # Errors
    /// Keys that can no longer be read.
    pub fn jwks(&self) -> Result<serde_json::Value, Error> {
        self.keys.jwks().map_err(Error::internal)
    }
}
