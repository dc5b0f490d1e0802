//! The quarantine: objects that no row names, kept under `lost+found/` until an operator deletes them.
//!
//! An object in quarantine has its former key behind the prefix, so it can be moved back. Ext4 has a
//! folder of that name in the root of a volume, for its own finds: those have other names.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::error::Error;
use crate::storage::{Backend, Blobs, Listed, list_folder, path};

/// The prefix of the keys, and the name of the folder.
pub const QUARANTINE: &str = "lost+found";

/// The key that the object `key` has in quarantine.
#[must_use]
pub fn quarantined(key: &str) -> String {
    format!("{QUARANTINE}/{key}")
}

/// Returns whether this is a key in quarantine.
pub(super) fn is_quarantined(key: &str) -> bool {
    key.strip_prefix(QUARANTINE).is_some_and(|rest| rest.starts_with('/'))
}

impl Blobs {
    /// Gives the object `key` another key as well, durably. Returns whether it exists.
    ///
    /// # Errors
    /// The errors of [`Blobs::put`].
    pub async fn copy(&self, key: &str, other: &str) -> Result<bool, Error> {
        let (from, to) = (path(key)?, path(other)?);
        match &self.backend {
            Backend::Folder(folder) => {
                let (from, to) = (from.to_string(), to.to_string());
                self.write_folder(folder, move |folder, _| folder.copy(&from, &to)).await
            }
            Backend::S3(s3) => {
                self.ensure_verified_now().await?;
                if s3.copy(&from, &to).await? {
                    return Ok(true);
                }
                // Some servers misread the name of the source, which is in a header.
                let Some((_, content)) = s3.read(&from).await? else { return Ok(false) };
                let pieces: Vec<Bytes> = content.try_collect().await?;
                s3.put(&to, pieces.concat().into()).await.map(|()| true)
            }
        }
    }

    /// Moves the object `key` into quarantine. Returns whether it exists.
    ///
    /// # Errors
    /// The errors of [`Blobs::put`].
    pub async fn quarantine(&self, key: &str) -> Result<bool, Error> {
        let exists = self.copy(key, &quarantined(key)).await?;
        if exists {
            self.delete(key).await?;
        }
        Ok(exists)
    }

    /// Lists the objects in quarantine, with the keys that they had before.
    pub fn list_quarantine(&self) -> BoxStream<'static, Result<Listed, Error>> {
        let listed = match &self.backend {
            Backend::Folder(folder) => list_folder(folder, folder.root().join(QUARANTINE)),
            Backend::S3(s3) => s3.list(Some(&QUARANTINE.into())),
        };
        listed
            .map_ok(|found| {
                let former = found.key.strip_prefix(QUARANTINE).and_then(|rest| rest.strip_prefix('/'));
                Listed { key: former.unwrap_or(&found.key).to_owned(), ..found }
            })
            .boxed()
    }
}
