//! Where the photos of this run of the tests are: in files, or in one of the S3 servers.

use std::sync::OnceLock;

use cloakroom::config::{Config, Overrides, Storage};
use cloakroom::storage::{Blobs, Listed};
use cloakroom::store::{Database, migrations};
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::{S3Server, TestApp, parsed};

/// This storage, assigned to a database of its own, so that it can be written.
pub async fn attached(blobs: Blobs) -> Blobs {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Config::load(None, &Overrides::default()).expect("the defaults are good").database;
    let database = Database::open(&settings, folder.path()).await.expect("the database opens");
    migrations::up(&database).await.expect("the migrations apply");
    blobs.assign(&database).await.expect("the storage is assigned");
    blobs
}

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
        storage.url = parsed(&format!("{}/{}", storage.url, Uuid::now_v7()));
    }
}

#[expect(clippy::disallowed_methods, reason = "the suite's own switch, which no setting of the server is")]
fn named() -> Option<&'static str> {
    static NAMED: OnceLock<Option<String>> = OnceLock::new();
    NAMED.get_or_init(|| std::env::var("CLOAKROOM_TEST_STORAGE").ok()).as_deref()
}

impl TestApp {
    /// Another handle to the storage of its photos.
    pub async fn contents(&self) -> Blobs {
        let blobs = Blobs::open(&self.config.storage, self.data_dir()).expect("the storage opens");
        blobs.attach(&self.app.database).await.expect("it is the database's storage");
        blobs
    }

    /// Everything in the storage.
    pub async fn objects(&self) -> Vec<Listed> {
        self.contents().await.list().try_collect().await.expect("a list")
    }
}
