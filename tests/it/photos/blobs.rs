//! Content by key: the same on local files and in S3.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bytes::Bytes;
use chrono::TimeDelta;
use cloakroom::clock::Clock;
use cloakroom::config::{Config, Overrides, Storage};
use cloakroom::error::{Dependency, Error};
use cloakroom::storage::Blobs;
use cloakroom::store::{Database, migrations};
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;

use crate::support::{S3Server, attached, parsed};

/// As photos name them.
const KEY: &str = "9f/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08-0a1b2c3d";

pub(super) fn settings(adapt: impl FnOnce(&mut Storage)) -> Storage {
    let mut storage = Config::load(None, &Overrides::default()).expect("the defaults are good").storage;
    adapt(&mut storage);
    storage
}

fn open(folder: &Path, adapt: impl FnOnce(&mut Storage)) -> Blobs {
    Blobs::open(&settings(adapt), folder).expect("the storage opens")
}

/// Bytes that look like none of their neighbours.
fn noise(length: u64) -> Bytes {
    (0..length).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]).collect()
}

async fn read(blobs: &Blobs, key: &str, range: Option<std::ops::Range<u64>>) -> Option<(u64, Vec<u8>)> {
    let (size, content) = blobs.read(key, range).await.expect("an answer")?;
    let pieces: Vec<Bytes> = content.try_collect().await.expect("the whole content");
    Some((size, pieces.concat()))
}

async fn keys(blobs: &Blobs) -> Vec<(String, u64)> {
    let listed: Vec<_> = blobs.list().try_collect().await.expect("a list");
    let now = Clock::System.now();
    for one in &listed {
        assert!((now - one.modified_at).abs() < TimeDelta::hours(1), "{one:?}");
    }
    let mut keys: Vec<_> = listed.into_iter().map(|one| (one.key, one.size)).collect();
    keys.sort();
    keys
}

/// What every storage does.
async fn assert_keeps(blobs: &Blobs) {
    blobs.verify().await.expect("it answers");
    assert_eq!(keys(blobs).await, []);
    assert_eq!(read(blobs, KEY, None).await, None);
    assert_eq!(blobs.read_whole(KEY, 10).await.expect("an answer"), None);
    blobs.delete(KEY).await.expect("what is not there is gone");

    let small = Bytes::from_static(b"a small picture");
    for _ in 0..2 {
        blobs.put(KEY, small.clone()).await.expect("it is kept");
        assert_eq!(read(blobs, KEY, None).await, Some((15, small.to_vec())));
    }
    assert_eq!(blobs.read_whole(KEY, 15).await.expect("an answer"), Some(small.clone()));
    assert!(matches!(blobs.read_whole(KEY, 14).await, Err(Error::Internal(_))), "it is larger");
    // s3rver answers `bytes=0-0` with everything.
    for (range, part) in [(0..2, "a "), (2..7, "small"), (14..15, "e"), (8..15, "picture")] {
        assert_eq!(read(blobs, KEY, Some(range)).await, Some((15, part.as_bytes().to_vec())));
    }

    let (other, large) = (KEY.replace("9f", "00"), noise(1_000_003));
    let puts = join_all((0..4).map(|_| blobs.put(&other, large.clone()))).await;
    assert!(puts.iter().all(Result::is_ok), "{puts:?}");
    assert_eq!(read(blobs, &other, None).await, Some((1_000_003, large.to_vec())));
    let part = read(blobs, &other, Some(299_999..800_001)).await;
    assert_eq!(part, Some((1_000_003, large[299_999..800_001].to_vec())));
    assert_eq!(keys(blobs).await, [(other.clone(), 1_000_003), (KEY.to_owned(), 15)]);

    assert_eq!(blobs.read_small(KEY).await.expect("an answer"), Some(small));
    for _ in 0..2 {
        blobs.delete(KEY).await.expect("it is gone");
        assert_eq!(read(blobs, KEY, None).await, None);
        assert_eq!(blobs.read_small(KEY).await.expect("an answer"), None, "nor in memory");
    }
    assert_eq!(keys(blobs).await, [(other, 1_000_003)]);
}

/// The storage says why it cannot be used, and nothing is written.
async fn assert_cannot_be_assigned(blobs: &Blobs, reason: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Config::load(None, &Overrides::default()).expect("the defaults are good").database;
    let database = Database::open(&settings, folder.path()).await.expect("the database opens");
    migrations::up(&database).await.expect("the migrations apply");
    let fault = blobs.assign(&database).await.expect_err(reason);
    assert!(fault.is_temporary() && fault.to_string().contains(reason), "{fault}");
    let outcome = blobs.put(KEY, noise(5)).await;
    assert!(
        matches!(outcome, Err(Error::DependencyUnavailable { dependency: Dependency::Storage, .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn files_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_keeps(&attached(open(folder.path(), |_| {})).await).await;
    let uncached = tempfile::tempdir().expect("a folder");
    assert_keeps(&attached(open(uncached.path(), |storage| storage.cache_bytes = 0)).await).await;
    let mode = std::fs::metadata(folder.path().join("photos")).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "its owner's alone");
}

#[tokio::test]
async fn objects_are_kept_by_a_server_that_is_strict_about_requests() {
    let (server, folder) = (S3Server::moto().await, tempfile::tempdir().expect("a folder"));
    assert_keeps(&attached(open(folder.path(), |storage| server.settings(storage))).await).await;
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is here");

    let elsewhere = open(folder.path(), |storage| {
        server.settings(storage);
        storage.url = parsed("s3://no-such-bucket");
    });
    assert_cannot_be_assigned(&elsewhere, "NoSuchBucket").await;
}

#[tokio::test]
async fn objects_are_kept_by_a_server_that_knows_who_may_come_in() {
    let (server, folder) = (S3Server::s3rver(), tempfile::tempdir().expect("a folder"));
    assert_keeps(&attached(open(folder.path(), |storage| server.settings(storage))).await).await;

    let stranger = open(folder.path(), |storage| {
        server.settings(storage);
        storage.s3_access_key_id = "GUESSED".to_owned();
    });
    assert_cannot_be_assigned(&stranger, "InvalidAccessKeyId").await;
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_never_seen_and_removed_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = attached(open(folder.path(), |_| {})).await;
    blobs.put(KEY, noise(100)).await.expect("it is kept");
    let half = folder.path().join("photos").join(format!("{KEY}#1"));
    std::fs::write(&half, b"half a pict").expect("as a crash leaves it");
    assert_eq!(keys(&blobs).await, [(KEY.to_owned(), 100)]);
    blobs.put(KEY, noise(100)).await.expect("it is kept");
    assert_eq!(read(&blobs, KEY, None).await, Some((100, noise(100).to_vec())));

    let now = Clock::System.now();
    let removed_before = async |moment| blobs.remove_unfinished(moment).await.expect("it is looked at");
    assert_eq!(removed_before(now - TimeDelta::hours(1)).await, 0, "it may yet be finished");
    assert_eq!(removed_before(now + TimeDelta::hours(1)).await, 1);
    assert!(!half.exists());
    assert_eq!(keys(&blobs).await, [(KEY.to_owned(), 100)]);
}

#[tokio::test]
async fn a_key_leads_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = attached(open(folder.path(), |_| {})).await;
    for key in ["../secret", "a/../../secret", "a//b", "a/./b", ""] {
        assert!(matches!(blobs.put(key, noise(5)).await, Err(Error::Internal(_))), "{key}");
        assert!(blobs.read(key, None).await.is_err(), "{key}");
    }
    assert!(!folder.path().join("secret").exists());
}
