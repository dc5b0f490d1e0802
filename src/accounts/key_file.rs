//! A signing key and its file: an Ed25519 JWK (RFC 8037). A key's `kid` is a UUIDv7, so that names sort by age.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};
use zeroize::Zeroizing;

/// A key has some 200 bytes; a longer file is none.
const MAX_FILE_BYTES: u64 = 16_384;

/// A key as its file has it: RFC 8037, section 2.
#[derive(Serialize, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    crv: String,
    pub(super) kid: String,
    x: String,
    d: String,
}

/// One key, ready for use.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    /// The public half, in base64url.
    pub(super) x: String,
}

impl Jwk {
    /// A new key, whose id is greater than `newest`. A clock that was set back makes no key that would sort before those
    /// that it replaces.
    pub(super) fn generate(newest: Option<&str>) -> anyhow::Result<Self> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut())?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref())?;
        Ok(Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: id_after(newest)?,
            x: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
            d: URL_SAFE_NO_PAD.encode(seed.as_ref()),
        })
    }

    /// The text of its file.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}

fn id_after(newest: Option<&str>) -> anyhow::Result<String> {
    let now = Uuid::now_v7().to_string();
    let Some(newest) = newest.filter(|newest| *newest >= now.as_str()) else { return Ok(now) };
    let micros = made_at(newest).context("a key's id is no UUIDv7")?.timestamp_micros().saturating_add(1000);
    let seconds = u64::try_from(micros.div_euclid(1_000_000))?;
    let nanos = u32::try_from(micros.rem_euclid(1_000_000))?.saturating_mul(1000);
    let next = Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanos)).to_string();
    ensure!(next.as_str() > newest, "no id is greater than that of the key {newest}");
    Ok(next)
}

/// When the key with this id was made, as the clock was then.
pub(super) fn made_at(kid: &str) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = kid.parse::<Uuid>().ok()?.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// Reads a key. Errors do not quote the file: it may have a secret in the wrong place.
pub(super) fn read(path: &Path) -> anyhow::Result<SigningKey> {
    let metadata = fs::metadata(path)?;
    // Anything else may never end.
    ensure!(metadata.is_file(), "it is no file");
    ensure!(metadata.len() <= MAX_FILE_BYTES, "it has {} bytes", metadata.len());
    let text = Zeroizing::new(fs::read(path)?);
    let jwk: Jwk = serde_json::from_slice(&text)
        .map_err(|error| anyhow::anyhow!("it is no Ed25519 JWK: line {}, column {}", error.line(), error.column()))?;
    let (seed, public) = (Zeroizing::new(jwk.d), jwk.x);
    ensure!(jwk.kty == "OKP" && jwk.crv == "Ed25519", "it is not an Ed25519 key");
    let id = jwk.kid.parse::<Uuid>().ok().filter(|kid| kid.get_version_num() == 7 && kid.to_string() == jwk.kid);
    ensure!(id.is_some() && made_at(&jwk.kid).is_some(), "its kid is no UUIDv7");
    let pair = pair(&seed, &public).context("its x and d are no pair of Ed25519 keys")?;
    Ok(SigningKey {
        kid: jwk.kid,
        encoding: EncodingKey::from_ed_der(pair.to_pkcs8v1()?.as_ref()),
        decoding: DecodingKey::from_ed_der(pair.public_key().as_ref()),
        x: public,
    })
}

fn pair(seed: &str, public: &str) -> Option<Ed25519KeyPair> {
    let seed = Zeroizing::new(URL_SAFE_NO_PAD.decode(seed).ok()?);
    let public = URL_SAFE_NO_PAD.decode(public).ok()?;
    Ed25519KeyPair::from_seed_and_public_key(&seed, &public).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_greater_than_all_that_are_there() {
        let later = Uuid::new_v7(Timestamp::from_unix(NoContext, 4_102_444_800, 999_000_000)).to_string();
        let mut newest = later;
        for _ in 0..100 {
            let next = id_after(Some(&newest)).expect("an id");
            assert!(next > newest, "{next} {newest}");
            newest = next;
        }
        let now = id_after(Some("01930000-0000-7000-8000-000000000000")).expect("an id");
        assert!(made_at(&now) < made_at(&newest), "an older key changes nothing");
        id_after(Some("ffffffff-ffff-7fff-bfff-ffffffffffff")).expect_err("there is none");
    }
}
