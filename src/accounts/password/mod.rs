//! Passwords: which are good, how they are hashed, and whether one matches what is stored.
//!
//! Argon2id, as OWASP's Password Storage Cheat Sheet asks for it, in the bounded pool of `pool.rs`.
//! What is hashed is the password's NFKC form. A hash from elsewhere may be of the bytes as they are typed, so
//! where the two differ both are tried.

mod hash;
mod pool;
mod strength;

use std::fmt;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::accounts::password::hash::StoredHash;
use crate::accounts::password::pool::{Memory, Pool};
use crate::config;
use crate::error::{Error, UserError, UserErrorCode};

/// Characters of a password, at least and at most: NIST SP 800-63B-4, section 3.1.1.2, asks for 8 and 64.
const PASSWORD_CHARS: (usize, usize) = (8, 1024);

/// A password on its way to be hashed: never shown, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
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

/// Whether a password is the one behind a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    No,
    Yes,
    /// It is, and today's hash of it would be better.
    YesButOutdated,
}

/// Hashes, matches and weighs passwords, off the runtime's threads.
pub(super) struct Passwords {
    argon2: Argon2<'static>,
    pool: Pool,
    /// Matched in place of an unknown user's, so that both cost the same.
    nobodys: String,
    strength: u8,
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
        let pool = Pool::new(threads, settings.password_queue, argon2.params().block_count());
        Ok(Self { nobodys: StoredHash::nobodys(&argon2)?, argon2, pool, strength: settings.password_strength })
    }

    /// The PHC string to store.
    pub(super) async fn hash(&self, password: Password) -> Result<String, Error> {
        let argon2 = self.argon2.clone();
        self.pool.run(move |memory| hash(&argon2, &password.normalised(), memory)).await?.map_err(Error::internal)
    }

    /// Whether `password` is the one behind `hash`. Without a hash, or with one that cannot be read, it is not,
    /// after the same work. A hash from elsewhere takes its own time.
    pub(super) async fn matches(&self, password: Password, hash: Option<&str>) -> Result<Match, Error> {
        let mut known = hash.is_some();
        // Nobody's is read as well: that alone takes long enough to be told by.
        let stored = StoredHash::parse(hash.unwrap_or(&self.nobodys)).or_else(|reason| {
            tracing::error!(reason, "a stored password hash cannot be read: its user cannot sign in");
            known = false;
            StoredHash::parse(&self.nobodys)
        });
        let stored = stored.map_err(|reason| Error::internal(anyhow::anyhow!(reason)))?;
        let today = self.argon2.params().clone();
        let matched = self.pool.run(move |memory| compare(&stored, &password, &today, memory)).await?;
        let matched = matched.unwrap_or_else(|error| {
            tracing::error!(%error, "a stored password hash cannot be checked");
            Match::No
        });
        Ok(if known { matched } else { Match::No })
    }

    /// Why a new password is too easy to guess, for a person to read, by whoever knows what is `personal`.
    pub(super) async fn weakness(&self, password: &Password, personal: &[&str]) -> Result<Option<String>, Error> {
        let wanted = self.strength;
        if wanted == 0 {
            return Ok(None);
        }
        let normalised: Zeroizing<String> = Zeroizing::new(password.0.nfkc().collect());
        let personal: Vec<String> = personal.iter().map(|&text| text.to_owned()).collect();
        self.pool.run(move |_| strength::weakness(&normalised, &personal, wanted)).await
    }

    /// Passwords that are worked on at the same time.
    pub(super) fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Whether this hash from elsewhere can be stored here: Argon2, bcrypt or PBKDF2-SHA256 of a bearable cost.
    pub(super) fn check_importable(hash: &str) -> Result<(), &'static str> {
        hash::check_importable(hash)
    }
}

fn hash(argon2: &Argon2<'static>, password: &[u8], memory: &mut Memory) -> anyhow::Result<String> {
    let mut salt = [0; Salt::RECOMMENDED_LENGTH];
    getrandom::fill(&mut salt)?;
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let blocks = memory.blocks(argon2.params().block_count())?;
    argon2.hash_password_into_with_memory(password, &salt, &mut output, blocks)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params())?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(Output::new(&output)?),
    };
    Ok(hash.to_string())
}

fn compare(stored: &StoredHash, password: &Password, today: &Params, memory: &mut Memory) -> anyhow::Result<Match> {
    let normalised = password.normalised();
    if stored.is_of(&normalised, memory)? {
        return Ok(if stored.is_up_to_date(today) { Match::Yes } else { Match::YesButOutdated });
    }
    let typed = password.0.as_bytes();
    if typed != normalised.as_slice() && stored.is_of(typed, memory)? {
        return Ok(Match::YesButOutdated);
    }
    if let Some(argon2) = stored.missing_work(today) {
        let blocks = memory.blocks(argon2.params().block_count())?;
        argon2.fill_memory(&normalised, &[0; Salt::RECOMMENDED_LENGTH], blocks)?;
    }
    Ok(Match::No)
}
