//! Errors of S3: whatever it answers, nothing was done, and the cause says why.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use cloakroom::error::{Dependency, Error};
use cloakroom::storage::Blobs;
use futures_util::TryStreamExt as _;
use tokio::net::TcpListener;

use super::blobs::settings;
use crate::support::{Answers, PATIENCE, StubS3, attached, s3_settings};

fn open(s3: &StubS3) -> Blobs {
    let settings = settings(|storage| s3.settings(storage));
    Blobs::open(&settings, "nowhere".as_ref()).expect("the storage opens")
}

/// The cause of an error that says that nothing was done, and names the storage.
fn cause(outcome: Result<(), Error>, what: &str) -> String {
    match outcome {
        Err(Error::DependencyUnavailable { dependency: Dependency::Storage, cause, .. }) => cause.to_string(),
        other => panic!("{what}: {other:?}"),
    }
}

/// The causes of all calls that are not HEAD, whose answer has no body.
async fn causes(blobs: &Blobs, what: &str) -> Vec<String> {
    let (put, read, deleted, listed) = tokio::join!(
        blobs.put("aa/key", Bytes::from_static(b"a picture")),
        blobs.read_whole("aa/key", 100),
        blobs.delete("aa/key"),
        blobs.list().try_collect::<Vec<_>>(),
    );
    // An answer to HEAD does not tell a bucket that is gone from an object that is, so the object
    // counts as absent until the storage is verified again, a second after the last time.
    let refused = async {
        while let Ok(None) = blobs.size("aa/key").await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        blobs.size("aa/key").await.map(drop)
    };
    let size = tokio::time::timeout(PATIENCE, refused).await.expect("the bucket is gone");
    cause(size, &format!("{what}: size"));
    vec![
        cause(put, &format!("{what}: put")),
        cause(read.map(drop), &format!("{what}: read")),
        cause(deleted, &format!("{what}: delete")),
        cause(listed.map(drop), &format!("{what}: list")),
    ]
}

#[tokio::test]
async fn each_error_of_s3_did_nothing_and_is_in_the_cause() {
    for (status, code) in [
        (301, "PermanentRedirect"),
        (307, "TemporaryRedirect"),
        (400, "AuthorizationHeaderMalformed"),
        (401, "InvalidToken"),
        (403, "AccessDenied"),
        (403, "SignatureDoesNotMatch"),
        (404, "NoSuchBucket"),
        (405, "MethodNotAllowed"),
        (409, "OperationAborted"),
        (412, "PreconditionFailed"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (501, "NotImplemented"),
        (502, "BadGateway"),
        (503, "SlowDown"),
        (504, "GatewayTimeout"),
        (507, "InsufficientStorage"),
    ] {
        let s3 = StubS3::start().await;
        let blobs = attached(open(&s3)).await;
        s3.answer(Answers::All(status, code));
        for cause in causes(&blobs, code).await {
            let is_redirect = (300..400).contains(&status);
            assert!(is_redirect || cause.contains(code), "{code}: {cause}");
            assert!(cause.matches(code).count() <= 1, "each text is said once: {cause}");
            assert!(!cause.contains('\n'), "one line: {cause}");
        }
    }
}

#[tokio::test]
async fn an_object_is_absent_only_in_a_bucket_that_exists() {
    let s3 = StubS3::start().await;
    let blobs = attached(open(&s3)).await;
    assert!(blobs.read_whole("aa/key", 100).await.expect("an answer").is_none());
    assert!(blobs.size("aa/key").await.expect("an answer").is_none());
    s3.answer(Answers::All(404, "NoSuchKey"));
    cause(blobs.put("aa/key", Bytes::new()).await, "put");
}

#[tokio::test]
async fn a_storage_that_cannot_be_reached_is_said_with_the_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let refused = settings(|storage| s3_settings(storage, &address));
    let tls = settings(|storage| {
        s3_settings(storage, &address);
        storage.s3_endpoint = format!("https://{address}");
    });
    for settings in [refused, tls] {
        let blobs = Blobs::open(&settings, "nowhere".as_ref()).expect("the storage opens");
        let fault = blobs.exists("aa/key").await.map(drop);
        let cause = cause(fault, "refused");
        assert!(cause.contains("Connection refused"), "{cause}");
        assert_eq!(cause.matches("error sending request").count(), 1, "{cause}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_exist_did_nothing() {
    let settings = settings(|storage| s3_settings(storage, "storage.invalid:9"));
    let blobs = Blobs::open(&settings, "nowhere".as_ref()).expect("the storage opens");
    cause(blobs.exists("aa/key").await.map(drop), "no such host");
}

#[tokio::test]
async fn https_to_a_port_without_it_did_nothing_and_is_said() {
    let s3 = StubS3::start().await;
    let settings = settings(|storage| {
        s3.settings(storage);
        storage.s3_endpoint = format!("https://{}", s3.address);
    });
    let blobs = Blobs::open(&settings, "nowhere".as_ref()).expect("the storage opens");
    let cause = cause(blobs.exists("aa/key").await.map(drop), "no TLS");
    assert!(cause.contains("tls handshake eof") || cause.contains("corrupt message"), "{cause}");
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_authority() {
    let (s3, other) = (StubS3::start_tls().await, StubS3::start_tls().await);
    let with = |authorities: PathBuf| {
        let settings = settings(|storage| {
            s3.settings(storage);
            storage.s3_ca_file = authorities;
        });
        Blobs::open(&settings, "nowhere".as_ref()).expect("the storage opens")
    };
    for authorities in [PathBuf::new(), other.ca_file()] {
        let cause = cause(with(authorities).exists("aa/key").await.map(drop), "an unknown authority");
        assert!(cause.contains("invalid peer certificate"), "{cause}");
    }
    let blobs = attached(with(s3.ca_file())).await;
    blobs.put("aa/key", Bytes::from_static(b"a picture")).await.expect("it is stored");
    blobs.probe().await.expect("it accepts writes");
}

#[tokio::test]
async fn a_file_of_authorities_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    let refused = || {
        let settings = settings(|storage| {
            s3_settings(storage, "127.0.0.1:9");
            storage.s3_ca_file.clone_from(&path);
        });
        let opened = Blobs::open(&settings, "nowhere".as_ref());
        opened.err().map(|error| format!("{error:#}")).expect("it is refused")
    };
    assert!(refused().contains("storage.s3_ca_file") && refused().contains("No such file"), "{}", refused());
    for content in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, content).expect("it is written");
        assert!(refused().contains("has no certificates in PEM"), "{content:?}: {}", refused());
    }
}
