//! The storage that `[storage]` names.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

use crate::config::Storage;

/// What `s3://BUCKET/PREFIX` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with, without slashes around it; empty for nothing.
    pub prefix: String,
}

/// The storage that `storage.url` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoragePlace {
    /// The folder `photos` in the data directory.
    DataDir,
    /// A folder elsewhere, by its absolute path.
    Folder(PathBuf),
    /// S3.
    S3(S3Place),
}

const FORM: &str = "storage.url must be empty, file:///FOLDER, s3://BUCKET or s3://BUCKET/PREFIX";

impl Storage {
    /// The storage that `storage.url` names.
    ///
    /// # Errors
    /// Any other URL. The message does not repeat it, because it may contain credentials.
    pub fn place(&self) -> anyhow::Result<StoragePlace> {
        match self.url.split_once("://") {
            None if self.url.is_empty() => Ok(StoragePlace::DataDir),
            Some(("file", _)) => Ok(StoragePlace::Folder(folder(&self.url)?)),
            Some(("s3", place)) => Ok(StoragePlace::S3(s3_place(place)?)),
            _ => bail!(FORM),
        }
    }

    /// Returns whether the storage is reached over the network.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self.place(), Ok(StoragePlace::S3(_)))
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        if !matches!(self.place()?, StoragePlace::S3(_)) {
            return Ok(());
        }
        for (name, value) in [
            ("storage.s3_region", &self.s3_region),
            ("storage.s3_access_key_id", &self.s3_access_key_id),
            ("storage.s3_secret_access_key", &self.s3_secret_access_key),
        ] {
            ensure!(!value.is_empty(), "{name} must be set where storage.url is in S3");
        }
        if !self.s3_endpoint.is_empty() {
            let form = "storage.s3_endpoint must be empty or a URL such as https://minio.example.org";
            let url = url::Url::parse(&self.s3_endpoint).ok().context(form)?;
            ensure!(["http", "https"].contains(&url.scheme()) && url.has_host(), form);
            let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
            ensure!(bare && url.fragment().is_none(), "{form}, without user, query and fragment");
        }
        Ok(())
    }
}

fn folder(text: &str) -> anyhow::Result<PathBuf> {
    let url = url::Url::parse(text).ok().context(FORM)?;
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    ensure!(bare && url.port().is_none(), "{FORM}: a folder has neither user, port, query nor fragment");
    ensure!(
        matches!(url.host_str(), None | Some("localhost")),
        "{FORM}: a folder has no host; write three slashes, such as file:///srv/photos"
    );
    let path = url.to_file_path().ok().context(FORM)?;
    ensure!(path.parent().is_some(), "{FORM}: the root folder cannot hold photos");
    Ok(path)
}

fn s3_place(place: &str) -> anyhow::Result<S3Place> {
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    ensure!(
        (3..=63).contains(&bucket.len()) && bucket.bytes().all(lower),
        "{FORM}: a bucket's name has from 3 to 63 lower-case letters, digits, dots and hyphens"
    );
    let prefix = prefix.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
    ensure!(
        prefix.is_empty() || prefix.split('/').all(is_name),
        "{FORM}: a prefix has letters, digits, dots, hyphens and underscores between its slashes"
    );
    Ok(S3Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    fn settings(url: &str, adapt: impl FnOnce(&mut Storage)) -> Storage {
        let mut storage = Config::load(None, &Overrides::default()).expect("the defaults are good").storage;
        url.clone_into(&mut storage.url);
        storage.s3_access_key_id = "AKIA".to_owned();
        storage.s3_secret_access_key = "secret".to_owned();
        adapt(&mut storage);
        storage
    }

    #[test]
    fn a_bucket_may_have_a_prefix() {
        let place = |url: &str| {
            let place = settings(url, |_| {}).place().expect("a place in S3");
            let StoragePlace::S3(place) = place else { panic!("{place:?} is not in S3") };
            (place.bucket, place.prefix)
        };
        assert_eq!(place("s3://pictures"), ("pictures".to_owned(), String::new()));
        assert_eq!(place("s3://pictures/"), ("pictures".to_owned(), String::new()));
        assert_eq!(place("s3://my.pictures/a/b_c/"), ("my.pictures".to_owned(), "a/b_c".to_owned()));
    }

    #[test]
    fn a_folder_is_an_absolute_path() {
        let place = |url: &str| settings(url, |_| {}).place().expect("a folder");
        assert_eq!(place(""), StoragePlace::DataDir);
        for url in ["file:///mnt/my%20photos", "file:///mnt/my photos", "file://localhost/mnt/my%20photos"] {
            assert_eq!(place(url), StoragePlace::Folder("/mnt/my photos".into()), "{url}");
        }
        settings("file:///mnt/photos", |s| s.s3_region.clear()).check().expect("it needs nothing of S3");
    }

    #[test]
    fn other_places_are_refused_and_not_repeated() {
        for url in [
            "./photos",
            "http://x",
            "s3:",
            "s3://",
            "s3://ab",
            "s3://key:secret@bucket",
            "s3://Bucket",
            "s3://bucket//a",
            "s3://bucket/../a",
            "s3://bucket/a?b=c",
            "gs://bucket",
            "file:photos",
            "file://",
            "file:///",
            "file://photos",
            "file://host/photos",
            "file://key:secret@localhost/photos",
            "file:///photos?secret",
            "file:///photos#secret",
        ] {
            let error = settings(url, |_| {}).check().expect_err("no storage").to_string();
            assert!(error.starts_with("storage.url must be empty, file:///FOLDER, s3://BUCKET"), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_s3_needs_must_be_there() {
        let refused = |adapt: fn(&mut Storage)| {
            settings("s3://bucket", adapt).check().expect_err("something is missing").to_string()
        };
        assert!(refused(|s| s.s3_access_key_id.clear()).starts_with("storage.s3_access_key_id must be set"));
        assert!(refused(|s| s.s3_secret_access_key.clear()).starts_with("storage.s3_secret_access_key must be set"));
        assert!(refused(|s| s.s3_region.clear()).starts_with("storage.s3_region must be set"));
        for endpoint in ["minio:9000", "ftp://minio", "https://", "https://anna:geheim@minio", "https://minio/?a=b"] {
            let error = settings("s3://bucket", |s| endpoint.clone_into(&mut s.s3_endpoint)).check();
            let error = error.expect_err("no endpoint").to_string();
            assert!(error.starts_with("storage.s3_endpoint must be") && !error.contains("geheim"), "{error}");
        }
        for endpoint in ["", "http://127.0.0.1:9000", "https://minio.example.org/"] {
            settings("s3://bucket", |s| endpoint.clone_into(&mut s.s3_endpoint)).check().expect("it is good");
        }
    }
}
