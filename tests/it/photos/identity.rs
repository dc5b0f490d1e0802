//! A storage that is not the database's is neither written to nor believed.

use std::sync::Arc;

use bytes::Bytes;
use cloakroom::config::{Config, Overrides};
use cloakroom::error::Error;
use cloakroom::storage::{Blobs, Identity, StorageFault};
use cloakroom::store::{Database, migrations};
use tempfile::TempDir;

use super::blobs::settings;
use crate::support::{S3Server, TestApp, TestStorage, picture};

/// A database without photos, and a folder for it.
async fn database() -> (Database, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Config::load(None, &Overrides::default()).expect("the defaults are good").database;
    let database = Database::open(&settings, folder.path()).await.expect("the database opens");
    migrations::up(&database).await.expect("the migrations apply");
    (database, folder)
}

fn at(server: &S3Server) -> Blobs {
    Blobs::open(&settings(|storage| server.settings(storage)), "nowhere".as_ref()).expect("the storage opens")
}

/// A sweep that finds nothing in the wrong place has removed nothing: the rows stay, so that the
/// files go when the right storage is back.
#[tokio::test]
async fn a_sweep_believes_no_absence_in_another_storage() {
    if TestStorage::is_s3() {
        return; // The folder is moved.
    }
    let (test, anna) = TestApp::with_user().await;
    let photos = anna.drafts(&[&picture([1, 2, 3])]).await;
    let stored = test.objects().await.len();
    anna.change("deletePhotos", &[&photos[0]]).await;
    let (folder, away) = (test.data_dir().join("photos"), test.data_dir().join("away"));
    std::fs::rename(&folder, &away).expect("it is moved");
    for in_its_place in [None, Some(())] {
        if in_its_place.is_some() {
            std::fs::create_dir(&folder).expect("an empty mount point");
        }
        for hours in [0, 2, 2] {
            test.clock.advance(hours * 3600);
            let swept = test.app.photos.sweep().await;
            assert!(matches!(swept, Err(Error::Unavailable { .. })), "{swept:?}");
            let unfinished = test.app.photos.sweep_unfinished().await;
            assert!(matches!(unfinished, Err(Error::Unavailable { .. })), "{unfinished:?}");
            assert_eq!(test.rows().await.blobs, stored as u64, "nothing is condemned either");
        }
    }
    std::fs::remove_dir(&folder).expect("it goes");
    std::fs::rename(&away, &folder).expect("it is moved back");
    for hours in [0, 2] {
        test.clock.advance(hours * 3600);
        assert!(test.app.photos.sweep().await.is_ok());
    }
    assert_eq!((test.objects().await.len(), test.rows().await.blobs), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_one_database_that_start_at_once_agree_on_one_bucket() {
    for server in [S3Server::moto().await, S3Server::s3rver()] {
        let (database, _folder) = database().await;
        let storages: Vec<Blobs> = (0..4).map(|_| at(&server)).collect();
        let assigned = storages.iter().map(|blobs| {
            let (blobs, database) = (blobs.clone(), database.clone());
            tokio::spawn(async move { blobs.assign(&database).await })
        });
        for outcome in assigned.collect::<Vec<_>>() {
            outcome.await.expect("no panic").expect("it is the database's storage");
        }
        for blobs in &storages {
            blobs.verify().await.expect("it still is");
            blobs.put("aa/key", Bytes::from_static(b"a picture")).await.expect("it is written");
        }
    }
}

/// Of two databases that are given the same bucket at once, one gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_assigned_to_one_database() {
    let server = S3Server::moto().await;
    let databases = [database().await, database().await];
    let assigned = databases.iter().map(|(database, _)| {
        let (blobs, database) = (at(&server), database.clone());
        tokio::spawn(async move { blobs.assign(&database).await })
    });
    let mut outcomes = Vec::new();
    for outcome in assigned.collect::<Vec<_>>() {
        outcomes.push(outcome.await.expect("no panic"));
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let refused = outcomes.iter().find_map(|outcome| outcome.as_ref().err()).expect("the other one");
    assert!(matches!(refused, StorageFault::OtherDatabase { .. }), "{refused}");
}

#[tokio::test]
async fn a_bucket_that_has_become_anothers_is_noticed() {
    let server = S3Server::moto().await;
    let ((database, _folder), (other, _other_folder)) = (database().await, database().await);
    let blobs = at(&server);
    assert!(matches!(blobs.status(), Err(StorageFault::Unassigned { .. })));
    assert!(matches!(blobs.attach(&database).await, Err(StorageFault::Unassigned { .. })));
    blobs.assign(&database).await.expect("it is assigned");
    assert_eq!(blobs.status(), Ok(()));
    at(&server).adopt(&other).await.expect("it is taken away");
    let fault = blobs.verify().await.expect_err("it is another's");
    assert!(matches!(fault, StorageFault::OtherDatabase { .. }) && !fault.is_temporary(), "{fault}");
    assert_eq!(blobs.status(), Err(fault));
    let put = blobs.put("aa/key", Bytes::from_static(b"a picture")).await;
    assert!(matches!(put, Err(Error::Unavailable { .. })), "{put:?}");
    let deleted = blobs.delete("aa/key").await;
    assert!(matches!(deleted, Err(Error::Unavailable { .. })), "{deleted:?}");
    let found = blobs.size("aa/key").await;
    assert!(matches!(found, Err(Error::Unavailable { .. })), "{found:?}");
    // Adopted again, by another server: this one knows at its next verification.
    at(&server).adopt(&database).await.expect("it is taken back");
    blobs.verify().await.expect("it is the database's storage again");
    blobs.put("aa/key", Bytes::from_static(b"a picture")).await.expect("it is written");
}

/// A server that crashed between the marker and the database's row is continued by the next one.
#[tokio::test]
async fn an_assignment_that_was_cut_off_is_completed() {
    let (database, folder) = database().await;
    let open = || Blobs::open(&settings(|_| {}), folder.path()).expect("the storage opens");
    open().assign(&database).await.expect("it is assigned");
    let forget = |sql: &'static str| {
        let database = database.clone();
        async move {
            let forget = database.write(move |transaction| {
                Box::pin(async move {
                    sea_orm::ConnectionTrait::execute_unprepared(transaction, sql).await?;
                    Ok(())
                })
            });
            forget.await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
    };
    forget("UPDATE storage_identity SET storage_id = NULL").await;
    open().attach(&database).await.expect("it is the database's storage");
    forget("UPDATE storage_identity SET storage_id = NULL").await;
    std::fs::remove_file(folder.path().join("photos/cloakroom-storage.json")).expect("it was not written");
    let fault = open().attach(&database).await.expect_err("nobody knows");
    assert!(matches!(fault, StorageFault::Unassigned { .. }), "{fault}");
    open().assign(&database).await.expect("it is assigned");
}

#[tokio::test]
async fn a_damaged_identity_is_no_identity() {
    let (database, folder) = database().await;
    let blobs = Blobs::open(&settings(|_| {}), folder.path()).expect("the storage opens");
    blobs.assign(&database).await.expect("it is assigned");
    let marker = folder.path().join("photos/cloakroom-storage.json");
    let newer = br#"{"format":2,"databaseId":"","storageId":""}"#;
    let other = Identity::generate().to_marker().expect("JSON");
    for content in [&b""[..], b"{", &[0xff; 9000], newer, &other] {
        std::fs::write(&marker, content).expect("it is written");
        let fault = blobs.verify().await.expect_err("it is damaged");
        assert!(matches!(fault, StorageFault::Unreadable { .. } | StorageFault::OtherDatabase { .. }), "{fault}");
        let put = blobs.put("aa/key", Bytes::from_static(b"a picture")).await;
        assert!(matches!(put, Err(Error::Unavailable { .. })), "{put:?}");
    }
    assert!(!folder.path().join("photos/aa").exists());
    let restarted = Arc::new(Blobs::open(&settings(|_| {}), folder.path()).expect("the storage opens"));
    assert!(restarted.attach(&database).await.is_err());
}

/// The root of a volume has entries of its file system, which are nobody's photos, and which a
/// server may not be allowed to read.
#[tokio::test]
async fn what_a_file_system_puts_into_a_volume_is_left_alone() {
    if TestStorage::is_s3() {
        return; // It has no such entries.
    }
    let (test, anna) = TestApp::with_user().await;
    anna.drafts(&[&picture([1, 2, 3])]).await;
    let before = test.objects().await;
    for name in ["lost+found", ".snapshot/yesterday/ab", ".zfs/snapshot"] {
        let folder = test.data_dir().join("photos").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let half = folder.join(format!("{}#1", "a".repeat(64)));
        std::fs::write(&half, "of a snapshot").expect("it is written");
        let old = std::time::SystemTime::UNIX_EPOCH;
        std::fs::File::options().write(true).open(&half).and_then(|file| file.set_modified(old)).expect("its time");
    }
    assert_eq!(test.objects().await.len(), before.len());
    assert!(test.app.photos.sweep_unfinished().await.is_ok());
    assert!(test.data_dir().join("photos/lost+found").read_dir().expect("a folder").next().is_some());
}
