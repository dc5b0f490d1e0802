//! The Ed25519 keys that sign access tokens: one JWK file each (`key_file`), in a folder of their owner's.
//!
//! The newest key signs, and all verify, but for one that was replaced longer ago than a token can live. Running servers
//! look for files that came or went before they use a key, and twice a second: a rotation needs no restart, and replicas
//! that share the folder follow it.
//!
//! **Invariant:** once there is a key, there always is one. A file that is no key, or cannot be read, is logged and left
//! out; a folder that has no key any more, or cannot be read, leaves the keys in memory as they were.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::ops::Bound::{Excluded, Unbounded};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};

use crate::accounts::key_file::{self, Jwk, SigningKey};
use crate::clock::Clock;
use crate::data_dir::private_files;
use crate::error::{Dependency, Error, one_line};

/// Seconds after which clients may try again while there is no key.
const RETRY_AFTER_SECONDS: u32 = 5;

/// A key in `cloakroom keys list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key's id.
    pub kid: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Whether it signs; the others only verify.
    pub signs: bool,
    /// Whether it verifies: it signs, or a token of it may be good.
    pub verifies: bool,
}

/// The keys of a folder.
pub struct SigningKeys {
    folder: PathBuf,
    loaded: RwLock<Loaded>,
    /// Held while files are read.
    loading: Mutex<()>,
    /// `None` while replaced keys verify without end, as in `cloakroom keys`.
    retirement: Option<Retirement>,
    retired: AtomicUsize,
    changes: AtomicU64,
}

/// How long a key verifies after it was replaced.
struct Retirement {
    after: Duration,
    clock: Clock,
}

#[derive(Clone, Default)]
struct Loaded {
    files: BTreeSet<PathBuf>,
    keys: BTreeMap<String, LoadedKey>,
    /// Files that are no keys, or the folder, and why.
    faults: BTreeMap<PathBuf, String>,
}

#[derive(Clone)]
struct LoadedKey {
    key: Arc<SigningKey>,
    /// Its file, and copies of it.
    paths: Vec<PathBuf>,
    /// The [`Clock::uptime`] when this process saw it first: from then on it has replaced those before it. Its id tells
    /// the moment by a clock that may have been wrong.
    seen: Duration,
}

impl SigningKeys {
    /// Reads the keys in `folder`; makes the folder and a first key where there is none.
    ///
    /// # Errors
    /// A folder that cannot be read or written, files that others can read, and files of which none is a key.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut private = fs::DirBuilder::new();
        private
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        private_files::secure(folder)?;
        let keys = Self {
            folder: folder.to_owned(),
            loaded: RwLock::default(),
            loading: Mutex::default(),
            retirement: None,
            retired: AtomicUsize::new(0),
            changes: AtomicU64::new(0),
        };
        let files = keys.files().with_context(|| format!("cannot read {}", folder.display()))?;
        for path in files.iter().filter(|path| path.is_file()) {
            private_files::secure(path)?;
        }
        keys.refresh();
        if keys.loaded().keys.is_empty() {
            if let Some(fault) = keys.faults().into_iter().next() {
                bail!("there is no signing key: {fault}");
            }
            keys.add()?;
        }
        Ok(keys)
    }

    /// Has a key verify no longer than that after it was replaced.
    #[must_use]
    pub fn retiring_after(self, seconds: u32, clock: Clock) -> Self {
        let (after, uptime) = (Duration::from_secs(seconds.into()), clock.uptime());
        self.loaded.write().unwrap_or_else(PoisonError::into_inner).keys.values_mut().for_each(|key| key.seen = uptime);
        Self { retirement: Some(Retirement { after, clock }), ..self }
    }

    /// Makes a key, which signs from now on, and returns its id.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn add(&self) -> anyhow::Result<String> {
        self.refresh();
        let jwk = Jwk::generate(self.loaded().keys.keys().next_back().map(String::as_str))?;
        let path = self.folder.join(format!("{}.json", jwk.kid));
        let unfinished = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(jwk.text()?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        fs::File::open(&self.folder)?.sync_all()?;
        self.refresh();
        Ok(jwk.kid)
    }

    /// Removes every key that was replaced before `moment`, and returns their ids.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn remove_replaced_before(&self, moment: DateTime<Utc>) -> anyhow::Result<Vec<String>> {
        let listed = self.list()?;
        let replaced = listed.iter().zip(listed.iter().skip(1)).filter(|(_, successor)| successor.created_at < moment);
        self.remove(replaced.map(|(key, _)| key.kid.clone()).collect())
    }

    /// Removes every key but the one that signs, and returns their ids.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn remove_replaced(&self) -> anyhow::Result<Vec<String>> {
        self.remove(self.list()?.into_iter().filter(|key| !key.signs).map(|key| key.kid).collect())
    }

    /// Removes the keys that no longer verify, and returns their ids.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn remove_retired(&self) -> anyhow::Result<Vec<String>> {
        self.remove(self.list()?.into_iter().filter(|key| !key.verifies).map(|key| key.kid).collect())
    }

    fn remove(&self, kids: Vec<String>) -> anyhow::Result<Vec<String>> {
        for kid in &kids {
            let paths = self.loaded().keys.get(kid).map(|key| key.paths.clone()).unwrap_or_default();
            for path in paths {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                    }
                    _ => {}
                }
            }
        }
        if !kids.is_empty() {
            fs::File::open(&self.folder)?.sync_all()?;
            self.refresh();
        }
        Ok(kids)
    }

    /// The keys, oldest first.
    ///
    /// # Errors
    /// None that a key of ours can cause.
    pub fn list(&self) -> anyhow::Result<Vec<Listed>> {
        self.refresh();
        let loaded = self.loaded();
        let newest = loaded.keys.keys().next_back();
        let listed = loaded.keys.keys().map(|kid| {
            let created_at = key_file::made_at(kid)?;
            let verifies = !self.is_retired(&loaded, kid);
            Some(Listed { kid: kid.clone(), created_at, signs: Some(kid) == newest, verifies })
        });
        listed.collect::<Option<Vec<_>>>().context("a key's id is no UUIDv7")
    }

    /// Files that are no keys, or the folder if it cannot be used: which, and why. The keys are as they were before.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.refresh();
        self.loaded().faults.values().cloned().collect()
    }

    /// The key that signs.
    pub(super) fn newest(&self) -> anyhow::Result<Arc<SigningKey>> {
        self.refresh();
        self.loaded().keys.values().next_back().map(|newest| Arc::clone(&newest.key)).context("there is no signing key")
    }

    /// The key with this id, if it verifies. Only keys of the folder are ever used: nothing in a token can name another.
    pub(super) fn find(&self, kid: &str) -> Option<Arc<SigningKey>> {
        self.refresh();
        let loaded = self.loaded();
        let found = loaded.keys.get(kid).filter(|_| !self.is_retired(&loaded, kid));
        found.map(|found| Arc::clone(&found.key))
    }

    /// The public halves of the keys that verify: RFC 7517, section 5.
    pub(super) fn jwks(&self) -> serde_json::Value {
        self.refresh();
        let loaded = self.loaded();
        let verifying = loaded.keys.iter().filter(|(kid, _)| !self.is_retired(&loaded, kid));
        let public = verifying.map(|(kid, LoadedKey { key, .. })| {
            serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": key.x })
        });
        serde_json::json!({ "keys": public.collect::<Vec<_>>() })
    }

    /// How often the keys have changed: what was verified before a change is verified again after it.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Reads files that came, and forgets keys whose files went. Not by the folder's time: its step is longer than a
    /// rotation takes. The content of a key's file never changes.
    pub(super) fn refresh(&self) {
        let listing = self.files();
        let is_known = |loaded: &Loaded, files: &BTreeSet<PathBuf>| loaded.files == *files && loaded.faults.is_empty();
        if !listing.as_ref().is_ok_and(|files| is_known(&self.loaded(), files)) {
            self.load();
        }
        if self.retirement.is_some() {
            let loaded = self.loaded();
            let retired = loaded.keys.keys().filter(|kid| self.is_retired(&loaded, kid)).count();
            if self.retired.swap(retired, Ordering::SeqCst) != retired {
                self.changes.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Whether a key was replaced so long ago that no token of it can be good, by its successor's id or since this
    /// process has had the successor.
    fn is_retired(&self, loaded: &Loaded, kid: &str) -> bool {
        let Some(Retirement { after, clock }) = &self.retirement else { return false };
        let Some((successor, LoadedKey { seen, .. })) = loaded.keys.range::<str, _>((Excluded(kid), Unbounded)).next()
        else {
            return false;
        };
        let made_ago = key_file::made_at(successor).and_then(|made_at| (Clock::System.now() - made_at).to_std().ok());
        made_ago.is_some_and(|ago| ago > *after) || clock.uptime().saturating_sub(*seen) > *after
    }

    fn files(&self) -> io::Result<BTreeSet<PathBuf>> {
        let paths = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.path()));
        let is_key = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        paths.filter(|path| path.as_ref().map_or(true, is_key)).collect()
    }

    fn load(&self) {
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.loaded().clone();
        let after = match self.files() {
            Ok(files) => self.read_all(files, &before),
            Err(error) => {
                let fault = format!("cannot read {}: {error}", self.folder.display());
                Loaded { faults: BTreeMap::from([(self.folder.clone(), fault)]), ..before.clone() }
            }
        };
        for (path, fault) in &after.faults {
            if before.faults.get(path) != Some(fault) {
                tracing::error!("signing keys: {fault}. The other keys are used");
            }
        }
        if after.faults.is_empty() && !before.faults.is_empty() {
            tracing::info!("signing keys: all files in {} are keys again", self.folder.display());
        }
        let is_changed = !before.keys.keys().eq(after.keys.keys());
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = after;
        if is_changed {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn read_all(&self, files: BTreeSet<PathBuf>, before: &Loaded) -> Loaded {
        let uptime = self.retirement.as_ref().map_or_else(|| Clock::System.uptime(), |known| known.clock.uptime());
        let (mut keys, mut faults) = (BTreeMap::<String, LoadedKey>::new(), BTreeMap::new());
        // A file that is named after its key before a copy of it.
        let mut in_order: Vec<&PathBuf> = files.iter().collect();
        in_order.sort_by_key(|path| path.file_stem().is_none_or(|stem| stem.len() != 36));
        for path in in_order {
            let known =
                before.keys.values().find(|known| known.paths.contains(path)).map(|known| Arc::clone(&known.key));
            let key = match known.map_or_else(|| key_file::read(path).map(Arc::new), Ok) {
                Ok(key) => key,
                // It went since the folder was read, which the next look notices.
                Err(error) if error.downcast_ref::<io::Error>().is_some_and(is_gone) => continue,
                Err(error) => {
                    faults.insert(
                        path.clone(),
                        format!("{} is no signing key: {}", path.display(), one_line(error.as_ref())),
                    );
                    continue;
                }
            };
            let seen = before.keys.get(&key.kid).map_or(uptime, |known| known.seen);
            let entry = keys.entry(key.kid.clone());
            let entry = entry.or_insert_with(|| LoadedKey { key: Arc::clone(&key), paths: Vec::new(), seen });
            if entry.key.x == key.x {
                entry.paths.push(path.clone());
            } else {
                faults.insert(path.clone(), format!("{} has the id of another signing key", path.display()));
            }
        }
        if keys.is_empty() && !before.keys.is_empty() {
            faults.insert(self.folder.clone(), format!("{} has no signing key any more", self.folder.display()));
            keys.clone_from(&before.keys);
        }
        Loaded { files, keys, faults }
    }

    fn loaded(&self) -> RwLockReadGuard<'_, Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal while there is no key. Nothing was done: a token is signed before it is handed out.
pub(super) fn unreadable(error: anyhow::Error) -> Error {
    Error::dependency_unavailable(Dependency::Keys, RETRY_AFTER_SECONDS, error)
}

/// A new key as a JWK, for `cloakroom keys generate`: written nowhere.
///
/// # Errors
/// No random bytes.
pub fn generate_jwk() -> anyhow::Result<String> {
    Jwk::generate(None)?.text()
}

/// The same, with an id that is greater than those of the keys in `folder`, if there is one: it replaces them wherever
/// it is put beside them.
///
/// # Errors
/// No random bytes.
pub fn generate_jwk_after(folder: &Path) -> anyhow::Result<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let newest = entries.filter_map(|entry| key_file::read(&entry.path()).ok()).map(|key| key.kid).max();
    Jwk::generate(newest.as_deref())?.text()
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}
