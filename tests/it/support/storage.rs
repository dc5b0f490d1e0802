//! Where the photos of this run of the tests are: in files, or in one of the S3 servers.

use std::sync::OnceLock;

use cloakroom::config::Storage;
use cloakroom::storage::Blobs;
use cloakroom::storage::Listed;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::{S3Server, TestApp};

/// The storage that `CLOAKROOM_TEST_STORAGE` names: `moto` or `s3rver`; files if it names none.
pub struct TestStorage;

impl TestStorage {
    /// Whether photos are in S3.
    pub fn is_s3() -> bool {
        named().is_some()
    }

    /// Gives a server a place of its own.
    pub async fn adapt(storage: &mut Storage) {
        static SERVER: tokio::sync::OnceCell<S3Server> = tokio::sync::OnceCell::const_new();
        let Some(name) = named() else { return };
        let server = SERVER.get_or_init(async || match name {
            "moto" => S3Server::moto().await,
            "s3rver" => S3Server::s3rver(),
            other => panic!("CLOAKROOM_TEST_STORAGE is moto, s3rver or not set, not {other}"),
        });
        server.await.settings(storage);
        storage.url = format!("{}/{}", storage.url, Uuid::now_v7());
    }
}

#[expect(clippy::disallowed_methods, reason = "the suite's own switch, which no setting of the server is")]
fn named() -> Option<&'static str> {
    static NAMED: OnceLock<Option<String>> = OnceLock::new();
    NAMED.get_or_init(|| std::env::var("CLOAKROOM_TEST_STORAGE").ok()).as_deref()
}

impl TestApp {
    /// The storage of its photos, beside its server.
    pub fn contents(&self) -> Blobs {
        Blobs::open(&self.config.storage, self.data_dir()).expect("the storage opens")
    }

    /// Everything in the storage.
    pub async fn objects(&self) -> Vec<Listed> {
        self.contents().list().try_collect().await.expect("a list")
    }
}
