//! The Ed25519 keys that sign access tokens: one JWK file each (RFC 8037), in a folder of their owner's.
//!
//! The newest key signs; all verify. A key's `kid` is a UUIDv7, so that names sort by age. Running servers
//! look for files that came or went before they use a key: a rotation needs no restart, and replicas that
//! share the folder follow it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Dependency, Error};

/// Seconds after which clients may try again while the keys cannot be read.
const RETRY_AFTER_SECONDS: u32 = 5;

/// A key as its file has it: RFC 8037, section 2.
#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    d: String,
}

/// One key, ready for use.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    x: String,
}

/// A key in `cloakroom keys list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key's id.
    pub kid: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Whether it signs; the others only verify.
    pub signs: bool,
}

/// The keys of a folder.
pub struct SigningKeys {
    folder: PathBuf,
    loaded: RwLock<Loaded>,
    changes: AtomicU64,
}

#[derive(Default)]
struct Loaded {
    files: BTreeSet<PathBuf>,
    keys: BTreeMap<String, Arc<SigningKey>>,
}

impl SigningKeys {
    /// Reads the keys in `folder`; makes the folder and a first key where there is none.
    ///
    /// # Errors
    /// A folder or file that cannot be read or written, or a file that is no Ed25519 JWK.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut private = fs::DirBuilder::new();
        private
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let keys = Self { folder: folder.to_owned(), loaded: RwLock::default(), changes: AtomicU64::new(0) };
        keys.refresh()?;
        if keys.list()?.is_empty() {
            keys.add()?;
        }
        Ok(keys)
    }

    /// Makes a key, which signs from now on, and returns its id.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn add(&self) -> anyhow::Result<String> {
        let jwk = generate()?;
        let path = self.folder.join(format!("{}.json", jwk.kid));
        let unfinished = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(serde_json::to_string_pretty(&jwk)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        fs::File::open(&self.folder)?.sync_all()?;
        self.reload()?;
        Ok(jwk.kid)
    }

    /// Removes every key that was replaced before `moment`, and returns their ids.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn remove_replaced_before(&self, moment: DateTime<Utc>) -> anyhow::Result<Vec<String>> {
        let listed = self.list()?;
        let replaced = listed.iter().zip(listed.iter().skip(1)).filter(|(_, successor)| successor.created_at < moment);
        let mut removed = Vec::new();
        for (key, _) in replaced {
            fs::remove_file(self.folder.join(format!("{}.json", key.kid)))?;
            removed.push(key.kid.clone());
        }
        self.reload()?;
        Ok(removed)
    }

    /// The keys, oldest first.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn list(&self) -> anyhow::Result<Vec<Listed>> {
        self.refresh()?;
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let newest = loaded.keys.keys().next_back();
        let listed = loaded.keys.keys().map(|kid| {
            let (seconds, nanos) = kid.parse::<Uuid>().ok()?.get_timestamp()?.to_unix();
            let created_at = DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)?;
            Some(Listed { kid: kid.clone(), created_at, signs: Some(kid) == newest })
        });
        listed.collect::<Option<Vec<_>>>().context("a key's id is no UUIDv7")
    }

    /// The key that signs.
    pub(super) fn newest(&self) -> anyhow::Result<Arc<SigningKey>> {
        self.refresh()?;
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.keys.values().next_back().cloned().context("there is no signing key")
    }

    /// The key with this id. Only keys of the folder are ever used: nothing in a token can name another.
    pub(super) fn find(&self, kid: &str) -> anyhow::Result<Option<Arc<SigningKey>>> {
        // A key that was removed must not verify; a folder in disorder must not stop those that are known.
        let refreshed = self.refresh();
        let key = self.loaded.read().unwrap_or_else(PoisonError::into_inner).keys.get(kid).cloned();
        if key.is_none() {
            refreshed?;
        }
        Ok(key)
    }

    /// The public halves: RFC 7517, section 5.
    pub(super) fn jwks(&self) -> anyhow::Result<serde_json::Value> {
        self.refresh()?;
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let public = loaded.keys.values().map(|key| {
            serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid, "x": key.x })
        });
        Ok(serde_json::json!({ "keys": public.collect::<Vec<_>>() }))
    }

    /// Reads the keys again if files came or went. Not by the folder's time: its step is longer than a rotation
    /// takes. A file's content never changes.
    fn refresh(&self) -> anyhow::Result<()> {
        let files = self.files().with_context(|| format!("cannot read {}", self.folder.display()))?;
        let known = self.loaded.read().unwrap_or_else(PoisonError::into_inner).files == files;
        if known { Ok(()) } else { self.load(files) }
    }

    fn reload(&self) -> anyhow::Result<()> {
        self.load(self.files()?)
    }

    fn files(&self) -> anyhow::Result<BTreeSet<PathBuf>> {
        let paths = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.path()));
        let is_key = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        paths.filter(|path| path.as_ref().map_or(true, is_key)).collect()
    }

    fn load(&self, files: BTreeSet<PathBuf>) -> anyhow::Result<()> {
        let mut keys = BTreeMap::new();
        for path in &files {
            match read(path) {
                Ok(key) => drop(keys.insert(key.kid.clone(), Arc::new(key))),
                // It went since the folder was read, which the next look notices.
                Err(error) if error.downcast_ref::<io::Error>().is_some_and(is_gone) => {}
                Err(error) => return Err(error.context(format!("{} is no signing key", path.display()))),
            }
        }
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Loaded { files, keys };
        self.changes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// How often the keys have changed: what was verified before a change is verified again after it.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }
}

/// The refusal while the keys cannot be read. Nothing was done: a token is signed before it is
/// handed out.
pub(super) fn unreadable(error: anyhow::Error) -> Error {
    Error::dependency_unavailable(Dependency::Keys, RETRY_AFTER_SECONDS, error)
}

/// A new key as a JWK, for `cloakroom keys generate`: written nowhere.
///
/// # Errors
/// No random bytes.
pub fn generate_jwk() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&generate()?)?)
}

fn generate() -> anyhow::Result<Jwk> {
    let mut seed = zeroize::Zeroizing::new([0_u8; 32]);
    getrandom::fill(seed.as_mut())?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref())?;
    Ok(Jwk {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        kid: Uuid::now_v7().to_string(),
        x: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
        d: URL_SAFE_NO_PAD.encode(seed.as_ref()),
    })
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn read(path: &Path) -> anyhow::Result<SigningKey> {
    let jwk: Jwk = serde_json::from_slice(&fs::read(path)?)?;
    ensure!(jwk.kty == "OKP" && jwk.crv == "Ed25519", "it is not an Ed25519 key");
    ensure!(jwk.kid.parse::<Uuid>().is_ok_and(|kid| kid.get_version_num() == 7), "its kid is no UUIDv7");
    let seed = zeroize::Zeroizing::new(URL_SAFE_NO_PAD.decode(&jwk.d)?);
    let public = URL_SAFE_NO_PAD.decode(&jwk.x)?;
    let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public)?;
    Ok(SigningKey {
        kid: jwk.kid,
        encoding: EncodingKey::from_ed_der(pair.to_pkcs8v1()?.as_ref()),
        decoding: DecodingKey::from_ed_der(pair.public_key().as_ref()),
        x: jwk.x,
    })
}
