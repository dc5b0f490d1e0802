//! The storage that the settings name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use quick_cache::sync::Cache;
use rustix::system::uname;

use crate::config::{S3Place, Storage, StoragePlace};
use crate::storage::folder::Folder;
use crate::storage::s3::S3;
use crate::storage::{Backend, Blobs, MAX_CACHED_BYTES, Weight};

/// The time limit for connecting to S3.
const CONNECT: Duration = Duration::from_secs(3);
/// Retries of a call, and the time after the first attempt within which they may begin.
const RETRIES: usize = 3;
const RETRY_WITHIN: Duration = Duration::from_secs(4);

impl Blobs {
    /// Opens the storage of `settings`; without a URL, the folder `photos` in `data_dir`.
    ///
    /// Nothing is read or created: [`Blobs::attach`] does that, and until then nothing can be
    /// written.
    ///
    /// # Errors
    /// Settings that name no storage.
    pub fn open(settings: &Storage, data_dir: &Path) -> anyhow::Result<Self> {
        let expected = usize::try_from(settings.cache_bytes / (MAX_CACHED_BYTES / 8)).unwrap_or_default();
        let (backend, place) = match settings.place()? {
            StoragePlace::DataDir => in_folder(data_dir.join("photos")),
            StoragePlace::Folder(folder) => in_folder(folder),
            StoragePlace::S3(place) => (Backend::S3(Arc::new(s3(settings, &place)?)), describe(settings, &place)),
        };
        let small = Arc::new(Cache::with_weighter(expected, settings.cache_bytes, Weight));
        let recorded_place = match &backend {
            Backend::Folder(_) => format!("{place} on {}", uname().nodename().to_string_lossy()),
            Backend::S3(_) => place.clone(),
        };
        let (place, recorded_place) = (place.into(), recorded_place.into());
        Ok(Self { backend, place, recorded_place, guard: Arc::default(), small })
    }
}

/// The folder that holds the photos according to `settings`, or `None` if they are in S3.
///
/// # Errors
/// Settings that name no storage.
pub fn photos_folder(settings: &Storage, data_dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    Ok(match settings.place()? {
        StoragePlace::DataDir => Some(data_dir.join("photos")),
        StoragePlace::Folder(folder) => Some(folder),
        StoragePlace::S3(_) => None,
    })
}

fn in_folder(folder: PathBuf) -> (Backend, String) {
    // Messages of several servers are told apart by it, and a relative path says little.
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let place = format!("the folder {}", folder.display());
    (Backend::Folder(Arc::new(Folder::new(folder))), place)
}

fn describe(settings: &Storage, place: &S3Place) -> String {
    let S3Place { bucket, prefix } = place;
    let slash = if prefix.is_empty() { "" } else { "/" };
    let endpoint = match settings.s3_endpoint.as_str() {
        "" => String::new(),
        endpoint => format!(" at {endpoint}"),
    };
    format!("s3://{bucket}{slash}{prefix}{endpoint}")
}

fn s3(settings: &Storage, place: &S3Place) -> anyhow::Result<S3> {
    let endpoint = settings.s3_endpoint.trim_end_matches('/');
    // Time is limited by the callers: content may take as long as it moves.
    let mut client = ClientOptions::new()
        .with_allow_http(endpoint.starts_with("http://"))
        .with_connect_timeout(CONNECT)
        .with_timeout_disabled();
    for authority in authorities(&settings.s3_ca_file)? {
        client = client.with_root_certificate(authority);
    }
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
    let store: Arc<dyn ObjectStore> = match place.prefix.as_str() {
        "" => Arc::new(bucket),
        prefix => Arc::new(PrefixStore::new(bucket, prefix)),
    };
    Ok(S3::new(store))
}

/// The authorities of `storage.s3_ca_file`; none without one.
fn authorities(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    if path.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let pem = std::fs::read(path).with_context(|| format!("storage.s3_ca_file {}", path.display()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => bail!("storage.s3_ca_file {} has no certificates in PEM", path.display()),
    }
}
