//! Stored password hashes: which are read, which of them are up to date, and whether one is of a password.
//!
//! Ours are Argon2id as PHC strings. Users who were imported bring what their old server stored: Argon2 of any
//! kind, bcrypt, and PBKDF2-SHA256 as PHC, passlib, Django and Werkzeug write it. They are replaced at login.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use crate::accounts::password::pool::Memory;

/// Characters of a stored hash at most: twice what the longest of these formats needs.
const MAX_CHARS: usize = 255;
/// What one hash may cost. The configuration has the same bounds for Argon2.
const MAX_ARGON2_KIB: u32 = 1 << 20;
const MAX_ARGON2_PASSES: u32 = 64;
const MAX_BCRYPT_COST: u32 = 15;
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
/// KiB times passes of an Argon2 hash from elsewhere: some three seconds.
const MAX_IMPORTED_WORK: u64 = 4 << 20;
/// Bytes of a hash without its salt. PBKDF2 does its iterations once more every 32 of them.
const HASH_BYTES: RangeInclusive<usize> = 16..=64;
const PBKDF2_SALT_BYTES: RangeInclusive<usize> = 1..=128;

const MALFORMED: &str = "the hash is malformed";
const TOO_COSTLY: &str = "the hash costs too much to be checked";

/// A stored hash that has been read.
#[derive(Clone)]
pub(super) enum StoredHash {
    Argon2 { argon2: Argon2<'static>, ours: bool, salt: Salt, output: Output },
    Bcrypt(String),
    Pbkdf2 { iterations: NonZeroU32, salt: Vec<u8>, key: Vec<u8> },
}

/// Whether a hash from elsewhere can be stored here: it is read, and costs no more than a few seconds.
pub(super) fn check_importable(hash: &str) -> Result<(), &'static str> {
    match StoredHash::parse(hash)? {
        StoredHash::Argon2 { argon2, .. } if work(argon2.params()) > MAX_IMPORTED_WORK => Err(TOO_COSTLY),
        _ => Ok(()),
    }
}

impl StoredHash {
    /// Reads what is stored, or says for a person why it cannot be read.
    pub(super) fn parse(hash: &str) -> Result<Self, &'static str> {
        if hash.len() > MAX_CHARS {
            return Err("the hash is too long");
        }
        let (scheme, _) = hash.strip_prefix('$').unwrap_or(hash).split_once(['$', ':']).unwrap_or_default();
        match scheme {
            "argon2id" | "argon2i" | "argon2d" => argon2(hash),
            "2a" | "2b" | "2y" => bcrypt(hash),
            "2x" => Err("$2x$ marks hashes of a faulty bcrypt, which cannot be checked"),
            "pbkdf2-sha256" => pbkdf2_phc(hash),
            "pbkdf2_sha256" => pbkdf2_django(hash),
            "pbkdf2" => pbkdf2_werkzeug(hash),
            _ => Err("the hash has no known format: Argon2, bcrypt or PBKDF2-SHA256"),
        }
    }

    /// A hash that is nobody's, which costs what one of today's costs: as text, because a stored one is read first.
    pub(super) fn nobodys(today: &Argon2<'static>) -> anyhow::Result<String> {
        let mut random = [0; 48];
        getrandom::fill(&mut random)?;
        let (salt, output) = random.split_at(16);
        let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
        let (memory, passes, lanes) = (today.params().m_cost(), today.params().t_cost(), today.params().p_cost());
        Ok(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}"))
    }

    /// Whether this is the hash of these bytes.
    ///
    /// # Errors
    /// No memory for it.
    pub(super) fn is_of(&self, password: &[u8], memory: &mut Memory) -> anyhow::Result<bool> {
        match self {
            Self::Argon2 { argon2, salt, output, .. } => {
                let mut computed = Zeroizing::new([0; Output::MAX_LENGTH]);
                let computed = computed.get_mut(..output.len()).unwrap_or_default();
                let blocks = memory.blocks(argon2.params().block_count())?;
                argon2.hash_password_into_with_memory(password, salt, computed, blocks)?;
                // In constant time, as `Output` compares.
                Ok(Output::new(computed)? == *output)
            }
            Self::Bcrypt(hash) => Ok(bcrypt::verify(password, hash)?),
            Self::Pbkdf2 { iterations, salt, key } => {
                Ok(pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *iterations, salt, password, key).is_ok())
            }
        }
    }

    /// Whether it is as good as a hash made today.
    pub(super) fn is_up_to_date(&self, today: &Params) -> bool {
        let Self::Argon2 { argon2, ours: true, output, .. } = self else { return false };
        let params = argon2.params();
        let long = output.len() >= today.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        long && params.m_cost() >= today.m_cost() && params.t_cost() >= today.t_cost()
    }

    /// How much cheaper than one of today's an Argon2 hash of earlier parameters is. A wrong password costs that
    /// as well, so that the time does not tell who has one.
    pub(super) fn missing_work(&self, today: &Params) -> Option<Argon2<'static>> {
        let Self::Argon2 { argon2, .. } = self else { return None };
        let missing = work(today).checked_sub(work(argon2.params()))?;
        let kib = u32::try_from(missing / u64::from(today.t_cost())).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(kib, today.t_cost(), 1, None).ok()?))
    }
}

/// KiB times passes, to which the time is proportional.
fn work(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

fn argon2(text: &str) -> Result<StoredHash, &'static str> {
    let hash = PasswordHash::new(text).map_err(|_| MALFORMED)?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| MALFORMED)?;
    // Hashes from before the version was written are of the first one.
    let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| MALFORMED)?;
    let params = Params::try_from(&hash).map_err(|_| MALFORMED)?;
    if !params.keyid().is_empty() || !params.data().is_empty() {
        return Err("the hash was made with a key or data that are not known here");
    }
    let (Some(salt), Some(output)) = (hash.salt, hash.hash) else { return Err(MALFORMED) };
    if !HASH_BYTES.contains(&output.len()) {
        return Err(MALFORMED);
    }
    if params.m_cost() > MAX_ARGON2_KIB || params.t_cost() > MAX_ARGON2_PASSES {
        return Err(TOO_COSTLY);
    }
    let ours = algorithm == Algorithm::Argon2id && version == Version::V0x13;
    Ok(StoredHash::Argon2 { argon2: Argon2::new(algorithm, version, params), ours, salt, output })
}

fn bcrypt(hash: &str) -> Result<StoredHash, &'static str> {
    let parts: bcrypt::HashParts = hash.parse().map_err(|_| MALFORMED)?;
    // The crate takes a sign for a digit.
    if !hash.bytes().skip(4).take(2).all(|byte| byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    match parts.get_cost() {
        ..4 => Err(MALFORMED),
        4..=MAX_BCRYPT_COST => Ok(StoredHash::Bcrypt(hash.to_owned())),
        _ => Err(TOO_COSTLY),
    }
}

/// `$pbkdf2-sha256$i=600000,l=32$SALT$KEY`, or passlib's `$pbkdf2-sha256$29000$SALT$KEY`. passlib writes `.` for
/// the alphabet's `+`.
fn pbkdf2_phc(hash: &str) -> Result<StoredHash, &'static str> {
    let [_, _, params, salt, key] = parts(hash)?;
    let base64 = |text: &str| STANDARD_NO_PAD.decode(text.replace('.', "+")).map_err(|_| MALFORMED);
    let key = base64(key)?;
    let (mut iterations, mut length) = (params, None);
    if params.contains('=') {
        (iterations, length) = ("", None);
        for param in params.split(',') {
            match param.split_once('=') {
                Some(("i", value)) => iterations = value,
                Some(("l", value)) => length = Some(value),
                _ => return Err(MALFORMED),
            }
        }
    }
    if length.is_some_and(|length| length.parse() != Ok(key.len())) {
        return Err(MALFORMED);
    }
    pbkdf2(iterations, base64(salt)?, key)
}

/// `pbkdf2_sha256$600000$SALT$KEY`: the salt is text, the key Base64.
fn pbkdf2_django(hash: &str) -> Result<StoredHash, &'static str> {
    let [_, iterations, salt, key] = parts(hash)?;
    pbkdf2(iterations, salt.into(), STANDARD.decode(key).map_err(|_| MALFORMED)?)
}

/// `pbkdf2:sha256:600000$SALT$KEY`: the salt is text, the key hexadecimal.
fn pbkdf2_werkzeug(hash: &str) -> Result<StoredHash, &'static str> {
    let [method, salt, key] = parts(hash)?;
    let iterations = method.strip_prefix("pbkdf2:sha256:").ok_or("of PBKDF2 only SHA-256 is known here")?;
    let digits: Option<Vec<u32>> = key.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, []) = digits.as_deref().ok_or(MALFORMED)?.as_chunks() else { return Err(MALFORMED) };
    let key = pairs.iter().filter_map(|[high, low]| u8::try_from(high << 4 | low).ok()).collect();
    pbkdf2(iterations, salt.into(), key)
}

fn pbkdf2(iterations: &str, salt: Vec<u8>, key: Vec<u8>) -> Result<StoredHash, &'static str> {
    let good = HASH_BYTES.contains(&key.len()) && PBKDF2_SALT_BYTES.contains(&salt.len());
    // `parse` would take a sign.
    if !good || !iterations.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    let iterations: u64 = iterations.parse().map_err(|_| MALFORMED)?;
    let iterations = u32::try_from(iterations).map_err(|_| TOO_COSTLY)?;
    match NonZeroU32::new(iterations).ok_or(MALFORMED)? {
        iterations if iterations.get() > MAX_PBKDF2_ITERATIONS => Err(TOO_COSTLY),
        iterations => Ok(StoredHash::Pbkdf2 { iterations, salt, key }),
    }
}

/// What stands between the dollars.
fn parts<const N: usize>(hash: &str) -> Result<[&str; N], &'static str> {
    let parts: Vec<&str> = hash.split('$').collect();
    parts.try_into().map_err(|_| MALFORMED)
}

#[cfg(test)]
mod tests;
