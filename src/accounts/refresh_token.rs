//! Refresh tokens: the session, the generation, and a proof that we wrote both.
//!
//! A session counts its refreshes; a token is good for one count, its generation. Nothing of it is stored but that count, so
//! that a stolen database holds no token and none can be made without the key. And because a token can be
//! made again, a client whose answer was lost, or whose tabs refresh at once, gets the same one twice.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::accounts::confirmations::Confirmations;
use crate::accounts::session;
use crate::accounts::supersession::{Marks, Window};
use crate::clock::Clock;
use crate::data_dir::private_files;
use crate::id::SessionId;

/// For people and secret scanners.
const PREFIX: &str = "crt_";
/// The session's UUID and the generation.
const CONTENT_BYTES: usize = 16 + 4;
const KEY_BYTES: usize = 32;

/// What a token says, once it is known to be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefreshToken {
    pub(super) session: SessionId,
    pub(super) generation: i32,
}

/// How far a session has come since a refresh token of its was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It has not been redeemed.
    Current,
    /// It has been, but so lately, or by a client that may not have received the answer, that it is no sign of theft.
    Replaced,
    /// It has been redeemed, and its successor was used: somebody has a copy.
    Reused,
    /// It is good for nothing: the session can no longer be refreshed, or the database was restored from a copy and is
    /// behind it.
    Void,
}

/// What the age of a token depends on beside its session.
#[derive(Clone)]
pub(super) struct Judge {
    /// Read in the transaction, when nobody else can refresh the session any more.
    pub(super) clock: Clock,
    pub(super) window: Window,
    /// Generations that are known to be used, but not stored yet.
    pub(super) confirmations: Arc<Confirmations>,
}

impl RefreshToken {
    /// The age of this token of `session` at `now`.
    ///
    /// Of the generations before the current one, all that were superseded within the window are only replaced. Of
    /// older ones the direct predecessor is, for as long as nobody has used the current generation.
    pub(super) fn age(&self, session: &session::Model, now: DateTime<Utc>, judge: &Judge) -> Age {
        let current = session.generation;
        if session.refresh_ended_at.is_some() || self.generation > current {
            return Age::Void;
        }
        if self.generation == current {
            return Age::Current;
        }
        let is_lately = Marks::of(session).are_within(judge.window, self.generation, now);
        let is_confirmed = || {
            session.confirmed_generation >= Some(current) || judge.confirmations.pending(session.id) == Some(current)
        };
        let is_predecessor = self.generation == current.saturating_sub(1);
        if is_lately || is_predecessor && !is_confirmed() { Age::Replaced } else { Age::Reused }
    }
}

/// The key that proves tokens to be ours: HMAC-SHA-256. Other keys are derived from it.
pub(super) struct RefreshKey {
    tokens: hmac::Key,
    others: hkdf::Prk,
}

impl RefreshKey {
    /// Reads the key from `folder`, making it where there is none.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("refresh.key");
        if !path.try_exists()? {
            create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        }
        private_files::secure(&path)?;
        let text =
            Zeroizing::new(fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?);
        let key = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim())?);
        ensure!(key.len() == KEY_BYTES, "{} is no key of {KEY_BYTES} bytes in base64url", path.display());
        Ok(Self {
            tokens: hmac::Key::new(hmac::HMAC_SHA256, &key),
            // No token is made with what this makes of the key: RFC 5869.
            others: hkdf::Salt::new(hkdf::HKDF_SHA256, b"cloakroom").extract(&key),
        })
    }

    /// A key for another purpose, the same on every server that shares the folder. `info` begins with the purpose
    /// (RFC 5869, section 3.2); its parts are joined.
    pub(super) fn derive<const N: usize>(&self, info: &[&[u8]]) -> anyhow::Result<[u8; N]> {
        let mut derived = [0; N];
        let expanded = self.others.expand(info, Length(N));
        expanded.and_then(|key| key.fill(&mut derived)).map_err(|_| anyhow::anyhow!("HKDF failed"))?;
        Ok(derived)
    }

    pub(super) fn write(&self, token: RefreshToken) -> String {
        let content = content(token);
        let proof = hmac::sign(&self.tokens, &content);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([&content, proof.as_ref()].concat()))
    }

    /// `None` for whatever [`RefreshKey::write`] did not write.
    pub(super) fn read(&self, text: &str) -> Option<RefreshToken> {
        let encoded = text.strip_prefix(PREFIX).filter(|encoded| encoded.len() <= 128)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (content, proof) = bytes.split_at_checked(CONTENT_BYTES)?;
        hmac::verify(&self.tokens, content, proof).ok()?;
        let (session, generation) = content.split_at_checked(16)?;
        let session = Uuid::from_slice(session).ok()?.into();
        Some(RefreshToken { session, generation: i32::from_be_bytes(generation.try_into().ok()?) })
    }
}

/// Number of bytes to derive.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn content(token: RefreshToken) -> [u8; CONTENT_BYTES] {
    let mut content = [0; CONTENT_BYTES];
    let bytes = token.session.uuid().into_bytes().into_iter().chain(token.generation.to_be_bytes());
    content.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    content
}

/// Written beside and moved into place, so that servers which start at once agree on one.
fn create(path: &Path) -> anyhow::Result<()> {
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    getrandom::fill(key.as_mut())?;
    let unfinished = path.with_extension(Uuid::now_v7().simple().to_string());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{}", URL_SAFE_NO_PAD.encode(key.as_ref()))?;
    file.sync_all()?;
    // A link, unlike a rename, does not replace what another server has written first.
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        linked => Ok(linked?),
    }
}
