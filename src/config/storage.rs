//! The storage that `[storage]` names.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize, Serializer};

use crate::config::Storage;
use crate::error::chain;

/// What `s3://BUCKET/PREFIX` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with, without slashes around it; empty for nothing.
    pub prefix: String,
}

/// The storage that `storage.url` names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StoragePlace {
    /// The folder `photos` in the data directory: the empty URL.
    #[default]
    DataDir,
    /// A folder elsewhere, by its absolute path.
    Folder(PathBuf),
    /// S3.
    S3(S3Place),
}

const FORM: &str = "storage.url must be empty, file:///FOLDER, s3://BUCKET or s3://BUCKET/PREFIX";

/// The message of an error does not repeat the URL, because it may contain credentials.
impl FromStr for StoragePlace {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> anyhow::Result<Self> {
        match url.split_once("://") {
            None if url.is_empty() => Ok(Self::DataDir),
            Some(("file", _)) => Ok(Self::Folder(folder(url)?)),
            Some(("s3", place)) => Ok(Self::S3(s3_place(place)?)),
            _ => bail!(FORM),
        }
    }
}

impl TryFrom<String> for StoragePlace {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        url.parse().map_err(|error: anyhow::Error| chain(&*error))
    }
}

impl fmt::Display for StoragePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDir => Ok(()),
            Self::Folder(path) => match url::Url::from_file_path(path) {
                Ok(url) => write!(f, "{url}"),
                Err(()) => write!(f, "{}", path.display()),
            },
            Self::S3(S3Place { bucket, prefix }) if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3(S3Place { bucket, prefix }) => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl Serialize for StoragePlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Storage {
    /// Returns true if the storage is reached over the network.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self.url, StoragePlace::S3(_))
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        if !self.is_remote() {
            return Ok(());
        }
        for (name, is_empty) in [
            ("storage.s3_region", self.s3_region.is_empty()),
            ("storage.s3_access_key_id", self.s3_access_key_id.is_empty()),
            ("storage.s3_secret_access_key", self.s3_secret_access_key.is_empty()),
        ] {
            ensure!(!is_empty, "{name} must be set where storage.url is in S3");
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
        storage.url = url.parse().expect(url);
        storage.s3_access_key_id = "AKIA".to_owned();
        storage.s3_secret_access_key = "secret".into();
        adapt(&mut storage);
        storage
    }

    #[test]
    fn a_bucket_may_have_a_prefix() {
        let place = |url: &str| {
            let place = url.parse().expect("a place in S3");
            let StoragePlace::S3(place) = place else { panic!("{place:?} is not in S3") };
            (place.bucket, place.prefix)
        };
        assert_eq!(place("s3://pictures"), ("pictures".to_owned(), String::new()));
        assert_eq!(place("s3://pictures/"), ("pictures".to_owned(), String::new()));
        assert_eq!(place("s3://my.pictures/a/b_c/"), ("my.pictures".to_owned(), "a/b_c".to_owned()));
    }

    #[test]
    fn a_folder_is_an_absolute_path() {
        let place = |url: &str| url.parse::<StoragePlace>().expect("a folder");
        assert_eq!(place(""), StoragePlace::DataDir);
        for url in ["file:///mnt/my%20photos", "file:///mnt/my photos", "file://localhost/mnt/my%20photos"] {
            assert_eq!(place(url), StoragePlace::Folder("/mnt/my photos".into()), "{url}");
        }
        settings("file:///mnt/photos", |s| s.s3_region.clear()).check().expect("it needs nothing of S3");
    }

    #[test]
    fn places_are_written_as_they_are_read() {
        for url in ["", "file:///mnt/my%20photos", "s3://pictures", "s3://pictures/a/b_c"] {
            assert_eq!(url.parse::<StoragePlace>().expect(url).to_string(), url);
        }
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
            let error = url.parse::<StoragePlace>().expect_err("no storage").to_string();
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
        let no_key = refused(|s| s.s3_secret_access_key = "".into());
        assert!(no_key.starts_with("storage.s3_secret_access_key must be set"), "{no_key}");
        assert!(refused(|s| s.s3_region.clear()).starts_with("storage.s3_region must be set"));
    }
}
