//! Accounts: people, the sessions in which they act, and the API keys of their programs.
//!
//! * A password opens a **session** (`sign_up`, `login`; `prove` checks it). Its bearer holds a short-lived **access
//!   token**, a signed JWT (`token`, `signing_keys`), and a **refresh token** (`refresh_token`), exchanged for the next
//!   pair by `refresh`. `supersession` and `confirmations` tell a late request from a stolen token. An **API key**
//!   (`api_key`) does without either, within its scopes.
//! * `authenticate` turns what a request shows into an [`Identity`](crate::caller::Identity). The hot path reads no
//!   database and checks no signature: what was verified is remembered. `end` commits first and then marks what is
//!   remembered, so no request that begins after the answer gets through; a restart asks the rows again.
//! * Mails are queued with what they tell and sent later (`queued_mail`, `post`); their links carry tokens that are good
//!   once (`email_token`). What is done to an account goes to its audit log (`account_event`).
//! * `email_owner` says whose an address is: an unconfirmed one may be that of several accounts.
//! * `limits` says how often anybody may try; `upkeep` removes what is over, `purge` whole accounts.
//! * `idempotency` has the records of requests that other slices send under a key, too.
//!
//! **Invariant:** a session is live exactly as long as its row says so; memory may only be stricter.
//! **Invariant:** passwords are hashed in a bounded pool, off the runtime's threads, and an unknown identifier costs
//! the same hash as a known one.
//! **Invariant:** uniqueness is the database's: nothing is looked up first and inserted afterwards.

mod access;
pub mod account_event;
mod administer;
pub mod api_key;
mod api_keys;
mod authenticate;
mod buckets;
mod change_password;
mod confirmations;
mod delete_account;
mod email_owner;
pub mod email_token;
mod end;
mod end_session;
pub mod export;
mod find_account;
mod find_user;
pub mod graphql;
pub mod idempotency;
mod identity;
mod import;
mod import_memory;
mod inspect;
mod key_file;
mod limits;
mod list_users;
pub mod loader;
mod login;
mod logout;
mod new_user;
mod notes;
mod operate;
mod password;
mod post;
mod prove;
mod purge;
pub mod queued_mail;
mod read;
mod refresh;
mod refresh_token;
mod reset_password;
mod restore_account;
pub mod revoked_access_token;
pub mod session;
mod sign_up;
pub mod signing_keys;
mod standing;
mod supersession;
mod token;
mod update_profile;
mod upkeep;
pub mod user;
pub mod username_skeleton;
mod verify_email;

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::config;
use crate::error::{Error, one_line};
use crate::id::{CounterId, UserId};
use crate::mail::Mailer;
use crate::store::{Database, DatabaseTransaction};

pub use access::{ApiKeysAfter, SessionsAfter};
pub use api_keys::{CreateApiKey, Created};
pub use change_password::ChangePassword;
pub use delete_account::Deleted;
pub use end::Ended;
pub use import::{Import, ImportLine, Imported, MAX_IMPORT_BATCH};
pub use inspect::Inspected;
pub use login::{Login, SignedIn};
pub use logout::LogoutScope;
pub use new_user::Profile;
pub use operate::{AddUser, Secret};
pub use password::Password;
pub use restore_account::Restore;
pub use sign_up::SignUp;
pub use standing::Standing;
pub use token::{Tokens, key_lifetime_seconds};
pub use update_profile::UpdateProfile;

use authenticate::VerifiedTokens;
use confirmations::Confirmations;
use limits::Limits;
use notes::Notes;
use password::Passwords;
use post::Post;
use refresh_token::RefreshKey;
use signing_keys::SigningKeys;
use upkeep::Tasks;

/// Ids in one statement at most.
const ASKED_AT_ONCE: usize = 500;

/// What another slice adds to a new user, in the transaction that makes them.
pub type Furnish = for<'t> fn(&'t DatabaseTransaction, UserId, &'t Clock) -> BoxFuture<'t, Result<(), Error>>;
/// Locks a user's counter until the transaction ends; false if there is none.
pub type LockCounter = for<'t> fn(&'t DatabaseTransaction, UserId, CounterId) -> BoxFuture<'t, Result<bool, Error>>;
/// Removes the rows of another slice that belong to these users, in bounded batches.
pub type PurgeUsers = fn(Database, Clock, Vec<UserId>) -> BoxFuture<'static, Result<(), Error>>;

/// Calls to the other slices, which this one does not know.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Called for each new user.
    pub furnish: Furnish,
    /// Called for each API key that is to be limited to a counter.
    pub lock_counter: LockCounter,
    /// Called in order for users whose accounts are purged, before the users' rows are removed.
    pub purge_users: &'static [PurgeUsers],
}

/// The accounts of one server.
pub struct Accounts {
    database: Database,
    clock: Clock,
    settings: config::Accounts,
    passwords: Passwords,
    keys: SigningKeys,
    refresh_key: RefreshKey,
    verified: Arc<VerifiedTokens>,
    confirmations: Arc<Confirmations>,
    limits: Limits,
    notes: Arc<Notes>,
    post: Post,
    tasks: Tasks,
    hooks: Hooks,
}

impl Accounts {
    /// Opens the signing keys below the data directory, making the first one where there is none.
    ///
    /// # Errors
    /// Keys that cannot be read or written; settings of mails that cannot be used.
    pub fn open(database: Database, clock: Clock, config: &config::Config, hooks: Hooks) -> anyhow::Result<Self> {
        let (settings, data_dir) = (config.accounts.clone(), &config.server.data_dir);
        let keys: &Path = &data_dir.join("keys");
        let mailer = Mailer::open(&config.mail, data_dir)?;
        Ok(Self {
            passwords: Passwords::new(&settings)?,
            keys: SigningKeys::open(keys)?.retiring_after(key_lifetime_seconds(&settings), clock.clone()),
            refresh_key: RefreshKey::open(keys)?,
            verified: Arc::new(VerifiedTokens::new(settings.cached_tokens)),
            confirmations: Arc::default(),
            limits: Limits::new(&config.limits, &clock),
            notes: Arc::default(),
            post: Post::new(mailer, &config.mail, &config.public_url()),
            tasks: Tasks::default(),
            database,
            clock,
            settings,
            hooks,
        })
    }

    /// A key for another slice's `purpose`: the same for as long as the folder of keys lasts, and on every server that
    /// shares it. A rotation of the signing keys does not change it.
    ///
    /// # Errors
    /// None that a purpose of our own can cause.
    pub fn derive_key(&self, purpose: &str) -> anyhow::Result<[u8; 32]> {
        self.refresh_key.derive(&[purpose.as_bytes()])
    }

    /// The public halves of the signing keys that verify, as a JWK Set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        self.keys.jwks()
    }

    /// Files among the signing keys that cannot be used. Tokens are signed and verified with the others.
    #[must_use]
    pub fn key_faults(&self) -> Vec<String> {
        self.keys.faults()
    }

    /// Looks for signing keys that came or went.
    async fn check_keys(self: Arc<Self>) -> Result<(), Error> {
        tokio::task::spawn_blocking(move || self.keys.refresh()).await.map_err(Error::internal)
    }

    /// Removes the files of signing keys that no longer verify. Where they cannot be removed, they stay as they are.
    fn remove_retired_keys(&self) {
        match self.keys.remove_retired() {
            Ok(kids) => kids.iter().for_each(|kid| tracing::info!("removed the signing key {kid}, which was replaced")),
            Err(error) => tracing::debug!("a replaced signing key was not removed: {}", one_line(error.as_ref())),
        }
    }
}
