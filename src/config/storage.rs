//! Where `[storage]` says that pictures are.

use anyhow::{Context as _, ensure};

use crate::config::Storage;

/// What `s3://BUCKET/PREFIX` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with, without slashes around it; empty for nothing.
    pub prefix: String,
}

impl Storage {
    /// The place in S3, or `None` for the data directory.
    ///
    /// # Errors
    /// A URL that is no `s3://BUCKET/PREFIX`; it is not repeated, since keys may have been put into it.
    pub fn s3_place(&self) -> anyhow::Result<Option<S3Place>> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let form = "storage.url must be empty, s3://BUCKET or s3://BUCKET/PREFIX";
        let place = self.url.strip_prefix("s3://").context(form)?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        ensure!(
            (3..=63).contains(&bucket.len()) && bucket.bytes().all(lower),
            "{form}: a bucket's name has from 3 to 63 lower-case letters, digits, dots and hyphens"
        );
        let prefix = prefix.trim_end_matches('/');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
        ensure!(
            prefix.is_empty() || prefix.split('/').all(is_name),
            "{form}: a prefix has letters, digits, dots, hyphens and underscores between its slashes"
        );
        Ok(Some(S3Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.s3_place()?.is_none() {
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
            let place = settings(url, |_| {}).s3_place().expect("a place in S3")?;
            Some((place.bucket, place.prefix))
        };
        assert_eq!(place(""), None);
        assert_eq!(place("s3://pictures"), Some(("pictures".to_owned(), String::new())));
        assert_eq!(place("s3://pictures/"), Some(("pictures".to_owned(), String::new())));
        assert_eq!(place("s3://my.pictures/a/b_c/"), Some(("my.pictures".to_owned(), "a/b_c".to_owned())));
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
        ] {
            let error = settings(url, |_| {}).check().expect_err("no place in S3").to_string();
            assert!(
                error.starts_with("storage.url must be empty, s3://BUCKET or s3://BUCKET/PREFIX"),
                "{url}: {error}"
            );
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
