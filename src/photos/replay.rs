//! Retries of `uploadPhotos` with an idempotency key: what makes a request another one, and the photos of the first.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::accounts::idempotency::{self, KeyedRequest, Operation, Recorded};
use crate::error::Error;
use crate::id::{PhotoId, UserId};
use crate::photos::{Photos, hex, photo};
use crate::upload::ReceivedFile;

/// Bytes of a file that are read at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// A photo in an idempotency record: what the request does not have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RecordedPhoto {
    pub(super) id: String,
    pub(super) thumbhash: String,
}

impl Photos {
    /// The request that uploads these files with their captions. Its hash covers the contents of the files.
    pub(super) async fn keyed_upload(
        &self,
        author: UserId,
        key: Arc<str>,
        files: Vec<Arc<ReceivedFile>>,
        captions: &[Option<String>],
        publish: bool,
    ) -> Result<KeyedRequest, Error> {
        idempotency::check_key(&key)?;
        let hashes = move || files.iter().map(|file| hash_file(file.path())).collect::<io::Result<Vec<String>>>();
        let hashes = tokio::task::spawn_blocking(hashes).await.map_err(Error::internal)?.map_err(Error::from_disk)?;
        self.accounts.keyed_request(author, Operation::UploadPhotos, key, &(hashes, captions, publish))
    }

    /// The photos of an earlier request: as they are now, and one that was deleted since as it was uploaded.
    pub(super) async fn replay(
        &self,
        author: UserId,
        recorded: Recorded<Vec<RecordedPhoto>>,
        captions: &[Option<String>],
        published: bool,
    ) -> Result<Vec<photo::Model>, Error> {
        let Recorded { result, at } = recorded;
        let malformed = || Error::internal(anyhow::anyhow!("an idempotency record has no photo's id"));
        let ids: Option<Vec<PhotoId>> = result.iter().map(|photo| PhotoId::parse(&photo.id)).collect();
        let ids = ids.ok_or_else(malformed)?;
        let rows = photo::of(author).filter(photo::Column::Id.is_in(ids.iter().copied()));
        let rows = rows.all(self.database.reader()).await?;
        let mut rows: HashMap<PhotoId, photo::Model> = rows.into_iter().map(|row| (row.id, row)).collect();
        let photos = ids.into_iter().zip(result).zip(captions).map(|((id, photo), caption)| {
            rows.remove(&id).unwrap_or_else(|| photo::Model {
                id,
                user_id: Some(author),
                published,
                caption: caption.clone(),
                thumbhash: photo.thumbhash,
                created_at: at,
                updated_at: at,
                published_at: published.then_some(at),
                announced_at: None,
                link_generation: 0,
            })
        });
        Ok(photos.collect())
    }
}

/// The SHA-256 of a file, in hexadecimal.
fn hash_file(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut block) = (File::open(path)?, Context::new(&SHA256), vec![0; BLOCK_BYTES]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex(hash.finish().as_ref())),
            read => hash.update(block.get(..read).unwrap_or_default()),
        }
    }
}
