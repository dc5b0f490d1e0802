//! Which storage the settings mean.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use quick_cache::sync::Cache;

use crate::config::{S3Place, Storage};
use crate::storage::local::Lasting;
use crate::storage::{Blobs, MAX_CACHED_BYTES, Weight};

/// How long a connection to S3 may take to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// Tries after the first, and how long after it the last may begin.
const RETRIES: usize = 3;
const RETRY_WITHIN: Duration = Duration::from_secs(4);

impl Blobs {
    /// Opens the storage of `settings`; without a URL, the folder `photos` in `data_dir`, which is made where there is
    /// none. S3 is not asked yet.
    ///
    /// # Errors
    /// A folder that cannot be made, settings that name no storage.
    pub fn open(settings: &Storage, data_dir: &Path) -> anyhow::Result<Self> {
        let expected = usize::try_from(settings.cache_bytes / (MAX_CACHED_BYTES / 8)).unwrap_or_default();
        let small = Arc::new(Cache::with_weighter(expected, settings.cache_bytes, Weight));
        if let Some(place) = settings.s3_place()? {
            return Ok(Self { store: s3(settings, &place)?, folder: None, lasting: Lasting::default(), small });
        }
        let folder = data_dir.join("photos");
        let store = files(&folder).with_context(|| format!("cannot use {}", folder.display()))?;
        Ok(Self { store, folder: Some(Arc::new(folder)), lasting: Lasting::default(), small })
    }
}

fn files(folder: &Path) -> anyhow::Result<Arc<dyn ObjectStore>> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // The folder's own name must outlast a crash as well.
    if let Some(parent) = folder.parent() {
        fs::File::open(parent)?.sync_all()?;
    }
    Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)))
}

fn s3(settings: &Storage, place: &S3Place) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let endpoint = settings.s3_endpoint.trim_end_matches('/');
    // Time is limited by the callers: content may take as long as it moves.
    let client = ClientOptions::new()
        .with_allow_http(endpoint.starts_with("http://"))
        .with_connect_timeout(CONNECT)
        .with_timeout_disabled();
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(1), base: 2.0 };
    let retry = RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_WITHIN };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_bucket_name(&place.bucket)
        .with_region(&settings.s3_region)
        .with_access_key_id(&settings.s3_access_key_id)
        .with_secret_access_key(&settings.s3_secret_access_key)
        .with_virtual_hosted_style_request(!settings.s3_path_style);
    if !endpoint.is_empty() {
        // In the host's name, the bucket is part of the endpoint.
        builder = builder.with_endpoint(match settings.s3_path_style {
            true => endpoint.to_owned(),
            false => endpoint.replacen("://", &format!("://{}.", place.bucket), 1),
        });
    }
    let bucket = builder.build().context("storage.url cannot be used")?;
    Ok(match place.prefix.as_str() {
        "" => Arc::new(bucket),
        prefix => Arc::new(PrefixStore::new(bucket, prefix)),
    })
}
