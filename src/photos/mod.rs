//! Photos: uploaded as drafts or published, in four sizes, with nothing personal in them.
//!
//! An upload's files are in a folder when its verb begins. Each is prepared in a bounded pool (`studio.rs`, `picture/`):
//! stripped, scaled, and stored by content (`blob.rs`, `store/blobs`); then all rows are added in one transaction, with
//! the quota (`storage_use.rs`). Deleting takes rows away, and the sweep (`sweep.rs`) the contents that nobody holds.
//! Images are fetched by signed links (`links.rs`, `serve.rs`), which end when the photo is unpublished or deleted.
//!
//! **Invariant:** a draft is its author's alone: in lists, by id, in counts, by link.
//! **Invariant:** what is answered is stored: contents first, rows second. What failed leaves its contents to the next
//! sweep (`claims.rs`), what was killed leaves them with a term.

mod attach;
pub mod blob;
pub mod caption;
pub mod check;
mod claims;
mod delete;
mod edit;
mod export;
pub mod graphql;
mod insert;
pub mod links;
mod list;
pub mod loader;
pub mod photo;
pub mod photo_image;
pub mod photo_tag;
pub mod picture;
mod publish;
mod purge;
mod read;
pub mod rebuild;
mod replay;
pub mod serve;
pub mod storage_use;
mod studio;
mod sweep;
mod upload;
mod watch;

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::PhotoId;
use crate::storage::Blobs;
use crate::store::Database;

pub use attach::{FirstUse, Sample};
pub use edit::Edit;
pub use list::{Filter, Owned};
pub use purge::purge_users;
pub use read::StorageUse;
pub use upload::{NewPhoto, Uploaded};

use links::Links;
use loader::LinkedImages;
use studio::Studio;
use watch::Watch;

/// Photos that one mutation may name.
pub const MAX_AT_ONCE: usize = 100;

/// The photos of one server.
pub struct Photos {
    database: Database,
    accounts: Arc<Accounts>,
    clock: Clock,
    blobs: Blobs,
    links: Links,
    linked: LinkedImages,
    studio: Studio,
    watch: Watch,
    settings: config::Photos,
}

impl Photos {
    /// Opens the storage, on the current runtime. [`Photos::attach_storage`] makes it writable.
    ///
    /// # Errors
    /// Settings that name no storage.
    pub fn open(database: Database, accounts: Arc<Accounts>, clock: Clock, config: &Config) -> anyhow::Result<Self> {
        let settings = config.photos.clone();
        let key = accounts.derive_key(links::PURPOSE)?;
        Ok(Self {
            blobs: Blobs::open(&config.storage, &config.server.data_dir)?,
            links: Links::new(key, config.public_url(), settings.url_seconds),
            linked: LinkedImages::new(database.clone()),
            studio: Studio::new(&settings),
            watch: Watch::start(database.clone(), clock.clone()),
            database,
            accounts,
            clock,
            settings,
        })
    }
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The photos that a mutation names, in order, or everything that is wrong with them.
fn named(ids: &[Option<PhotoId>], field: impl Fn(usize) -> Vec<String>) -> Result<Vec<PhotoId>, Error> {
    if ids.is_empty() || ids.len() > MAX_AT_ONCE {
        let code = if ids.is_empty() { UserErrorCode::Required } else { UserErrorCode::LimitReached };
        let message = format!("From 1 to {MAX_AT_ONCE} photos can be named at once; these are {}.", ids.len());
        let whole = field(0).into_iter().take(2).collect();
        return Err(UserError { code, field: Some(whole), message }.into());
    }
    found(ids, field, |id| *id)
}

/// What is found for each of the photos, or an error for each that is not there.
fn found<I, T>(
    ids: &[I],
    field: impl Fn(usize) -> Vec<String>,
    find: impl Fn(&I) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let (mut there, mut faults) = (Vec::with_capacity(ids.len()), Vec::new());
    for (place, id) in ids.iter().enumerate() {
        match find(id) {
            Some(found) => there.push(found),
            None => faults.push(UserError {
                code: UserErrorCode::NotFound,
                field: Some(field(place)),
                message: "You have no such photo.".to_owned(),
            }),
        }
    }
    if faults.is_empty() { Ok(there) } else { Err(Error::Invalid(faults)) }
}

/// The place of the photo with this number in `input { photoIds }`.
fn in_photo_ids(place: usize) -> Vec<String> {
    vec!["input".to_owned(), "photoIds".to_owned(), place.to_string()]
}
