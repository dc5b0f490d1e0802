//! The identity of a storage, and the reasons why a storage may not be used.
//!
//! A database has a random id, and so has the storage that holds its photos. The storage keeps both
//! in the object [`MARKER`], the database in the table `storage_identity` (`attach.rs`). A server
//! uses a storage only if both pairs are equal. So an unmounted volume, another bucket or a second
//! server's own folder is never mistaken for the storage.

use std::fmt;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of the object that holds the identity.
pub const MARKER: &str = "cloakroom-storage.json";
/// The largest marker that is read, in bytes.
pub(super) const MAX_MARKER_BYTES: u64 = 4096;
const FORMAT: u32 = 1;

/// The ids of a database and of the storage that holds its photos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of the database.
    pub database_id: Uuid,
    /// The id of the storage.
    pub storage_id: Uuid,
}

/// The content of the marker.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    format: u32,
    database_id: String,
    storage_id: String,
}

impl Identity {
    /// Returns a new random identity.
    #[must_use]
    pub fn generate() -> Self {
        Self { database_id: Uuid::now_v7(), storage_id: Uuid::now_v7() }
    }

    /// Returns the content of the marker.
    ///
    /// # Errors
    /// None in practice: the marker is plain JSON.
    pub fn to_marker(self) -> anyhow::Result<Vec<u8>> {
        let Self { database_id, storage_id } = self;
        let marker =
            Marker { format: FORMAT, database_id: database_id.to_string(), storage_id: storage_id.to_string() };
        Ok(serde_json::to_vec_pretty(&marker)?)
    }

    pub(super) fn from_marker(bytes: &[u8]) -> anyhow::Result<Self> {
        let marker: Marker = serde_json::from_slice(bytes).context("it is not a marker")?;
        ensure!(marker.format == FORMAT, "it has format {}; this version reads format {FORMAT}", marker.format);
        let id = |text: &str| Uuid::try_parse(text).context("an id in it is not a UUID");
        Ok(Self { database_id: id(&marker.database_id)?, storage_id: id(&marker.storage_id)? })
    }
}

/// The storage that a database expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The identity.
    pub identity: Identity,
    /// A description of the storage, as of the last start of a server.
    pub place: String,
}

/// The reason why a storage may not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageFault {
    /// The storage or the database did not answer, or refused to. It may be temporary.
    Unverified {
        /// The storage.
        place: String,
        /// The cause.
        reason: String,
    },
    /// The storage is the right one, and refuses writes. It may be temporary.
    Unwritable {
        /// The storage.
        place: String,
        /// The cause.
        reason: String,
    },
    /// Neither the storage has an identity nor does the database expect one: this is the first use.
    Unassigned {
        /// The storage.
        place: String,
    },
    /// The folder does not exist, or the folder or bucket has no marker.
    Missing {
        /// The storage.
        place: String,
        /// The storage that the database expects.
        expected: Expected,
        /// True if the folder itself exists. Always true in S3.
        folder_exists: bool,
    },
    /// The storage holds the photos of another database.
    OtherDatabase {
        /// The storage.
        place: String,
        /// The id of this database, if it has one.
        database_id: Option<Uuid>,
        /// The identity of the storage.
        found: Identity,
    },
    /// The database expects another storage than this one, which was assigned to it as well.
    OtherStorage {
        /// The storage.
        place: String,
        /// The storage that the database expects.
        expected: Expected,
        /// The identity of this storage.
        found: Identity,
    },
    /// The marker is damaged or of a newer version.
    Unreadable {
        /// The storage.
        place: String,
        /// The cause.
        reason: String,
    },
    /// There is no identity yet, and the storage lacks the files of the database's photos.
    NotTheirs {
        /// The storage.
        place: String,
        /// The number of photo files that were looked for.
        sampled: usize,
        /// The number of those that exist.
        found: usize,
    },
    /// There is no identity yet. The database has no photos, but the storage holds files of some.
    NotEmpty {
        /// The storage.
        place: String,
    },
}

impl StorageFault {
    /// Returns whether the fault may go away without a change of settings or volumes.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unverified { .. } | Self::Unwritable { .. })
    }
}

const SHARED: &str =
    "Servers that share a database need one storage: S3, or a folder that all mount (storage.url = \"file:///FOLDER\")";
const ADOPT: &str = "If this is the right storage all the same, `cloakroom photos adopt` assigns it to this database";

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified { place, reason } => write!(f, "{place} cannot be verified: {reason}"),
            Self::Unwritable { place, reason } => write!(f, "{place} cannot be written: {reason}"),
            Self::Unassigned { place } => {
                write!(f, "no storage is assigned to this database yet; a server assigns {place} when it starts")
            }
            Self::Missing { place, expected, folder_exists } => {
                let Expected { identity, place: assigned } = expected;
                let lacks = if *folder_exists { format!("has no {MARKER}") } else { "does not exist".to_owned() };
                write!(
                    f,
                    "the photos of this database are in storage {} ({assigned}), but {place} {lacks}. Mount the \
                     volume, or correct storage.url. {SHARED}. {ADOPT}",
                    identity.storage_id
                )
            }
            Self::OtherDatabase { place, database_id, found } => {
                let own = database_id.map_or_else(|| "a new one".to_owned(), |id| id.to_string());
                write!(
                    f,
                    "{place} belongs to another database: it is storage {} of database {}; this database is {own}. \
                     Give each database a folder, bucket or prefix of its own (storage.url). {ADOPT}",
                    found.storage_id, found.database_id
                )
            }
            Self::OtherStorage { place, expected, found } => write!(
                f,
                "the photos of this database are in storage {} ({}), but {place} is storage {}. {SHARED}. {ADOPT}",
                expected.identity.storage_id, expected.place, found.storage_id
            ),
            Self::Unreadable { place, reason } => write!(f, "{MARKER} of {place} is unusable: {reason}. {ADOPT}"),
            Self::NotTheirs { place, sampled, found } => write!(
                f,
                "{place} has {found} of {sampled} photo files of this database that were looked for. Mount the \
                 volume, or correct storage.url. {SHARED}. {ADOPT}"
            ),
            Self::NotEmpty { place } => write!(
                f,
                "this database has no photos, but {place} holds photo files, which must be of another database. \
                 Empty it, or name another one with storage.url. {ADOPT}"
            ),
        }
    }
}

impl std::error::Error for StorageFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let identity = Identity::generate();
        let marker = identity.to_marker().expect("JSON");
        assert_eq!(Identity::from_marker(&marker).expect("a marker"), identity);
        for damaged in [&b""[..], b"{}", &marker[..marker.len() - 1], &[0; 40]] {
            assert!(Identity::from_marker(damaged).is_err(), "{damaged:?}");
        }
    }
}
