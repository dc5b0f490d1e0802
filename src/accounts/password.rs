//! Passwords: which are good, and the bounded pool in which they are hashed and matched.
//!
//! Argon2id, as OWASP's Password Storage Cheat Sheet asks for it. One hash takes 19 MiB and about 16 ms of a
//! core, so `password_threads` hashes run at once, `password_queue` more may wait, and one more is refused:
//! memory is bounded by the threads, the delay by the queue.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::config;
use crate::error::{Error, UserError, UserErrorCode};

/// Characters of a password, at least and at most: NIST SP 800-63B-4, section 3.1.1.2, asks for 8 and 64.
const PASSWORD_CHARS: (usize, usize) = (8, 1024);

/// A password on its way to be hashed: never shown, wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(****)")
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Password {
    /// Checks the length and that it can be typed again: no control characters (RFC 8265, section 4.2).
    pub(super) fn check_new(&self, field: &str) -> Result<(), UserError> {
        let (shortest, longest) = PASSWORD_CHARS;
        self.check_length(field)?;
        if self.0.chars().nth(shortest - 1).is_none() {
            let message = format!("A password has from {shortest} to {longest} characters.");
            return Err(UserError::of(field, UserErrorCode::TooShort, message));
        }
        if self.0.chars().any(char::is_control) {
            return Err(UserError::of(field, UserErrorCode::Invalid, "A password has no control characters."));
        }
        Ok(())
    }

    /// Refuses what can be no password because of its length, before it costs a hash.
    pub(super) fn check_length(&self, field: &str) -> Result<(), UserError> {
        let longest = PASSWORD_CHARS.1;
        if self.0.is_empty() {
            return Err(UserError::of(field, UserErrorCode::Required, "A password is needed."));
        }
        if self.0.chars().nth(longest).is_some() {
            let message = format!("A password has at most {longest} characters.");
            return Err(UserError::of(field, UserErrorCode::TooLong, message));
        }
        Ok(())
    }

    /// One sequence of bytes for what looks the same: NIST SP 800-63B-4, section 3.1.1.2.
    fn normalised(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.nfkc().collect::<String>().into_bytes())
    }
}

/// The pool that hashes.
pub(super) struct Passwords {
    argon2: Argon2<'static>,
    threads: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Matched in place of an unknown user's, so that both cost the same.
    nobodys_hash: String,
}

impl Passwords {
    pub(super) fn new(settings: &config::Accounts) -> anyhow::Result<Self> {
        let config::Accounts { password_memory_kib, password_passes, password_lanes, .. } = *settings;
        let params = Params::new(password_memory_kib, password_passes, password_lanes, None)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let threads = match settings.password_threads {
            // Half of them: the other half keeps serving while a flood of logins is worked off.
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
            threads => threads,
        };
        let nobodys_hash = argon2.hash_password(b"nobody has this password")?.to_string();
        Ok(Self {
            argon2,
            threads: Arc::new(Semaphore::new(threads)),
            places: Arc::new(Semaphore::new(threads.saturating_add(settings.password_queue))),
            nobodys_hash,
        })
    }

    /// The PHC string to store.
    pub(super) async fn hash(&self, password: Password) -> Result<String, Error> {
        let argon2 = self.argon2.clone();
        self.in_pool(move || argon2.hash_password(&password.normalised()).map(|hash| hash.to_string()))
            .await?
            .map_err(Error::internal)
    }

    /// Whether `password` is the one behind `hash`; without a hash it is not, after the same work.
    pub(super) async fn matches(&self, password: Password, hash: Option<&str>) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobodys_hash).to_owned();
        let argon2 = self.argon2.clone();
        let matched = self
            .in_pool(move || {
                let hash = PasswordHash::new(&hash)?;
                match argon2.verify_password(&password.normalised(), &hash) {
                    Ok(()) => Ok(true),
                    Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                    Err(error) => Err(anyhow::Error::from(error)),
                }
            })
            .await?
            .map_err(Error::internal)?;
        Ok(known && matched)
    }

    async fn in_pool<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Error::Unavailable { retry_after_seconds: 1 });
        };
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(Error::internal)?;
        // The permits go along: a client that gives up does not make room before its hash is done.
        let task = tokio::task::spawn_blocking(move || {
            let _held = (place, thread);
            work()
        });
        task.await.map_err(Error::internal)
    }
}
