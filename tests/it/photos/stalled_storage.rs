//! A storage that is away, overloaded or asleep: whoever waits for it hears so in time.

use std::time::Instant;

use bytes::Bytes;
use cloakroom::error::{Dependency, Error};
use cloakroom::storage::Blobs;
use futures_util::TryStreamExt as _;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::blobs::settings;
use crate::support::{KeptMarker, PATIENCE, attached, read_request, s3_settings};

/// A storage that keeps its identity, and answers every other request with these bytes, and then
/// neither says anything nor hangs up.
async fn answering(answer: &'static str) -> Blobs {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let marker = KeptMarker::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_requests(stream, marker.clone(), answer));
        }
    });
    attached(at(&address)).await
}

async fn answer_requests(stream: TcpStream, marker: KeptMarker, answer: &str) {
    let mut stream = BufReader::new(stream);
    while let Some((first, body)) = read_request(&mut stream).await {
        let about_marker = marker.answer(&first, &body).filter(|_| !first.contains("list-type"));
        let answer = about_marker.unwrap_or_else(|| answer.to_owned());
        stream.write_all(answer.as_bytes()).await.expect("it is heard");
    }
}

fn at(address: &str) -> Blobs {
    let settings = settings(|storage| s3_settings(storage, address));
    Blobs::open(&settings, "nowhere".as_ref()).expect("the storage opens")
}

async fn assert_unavailable(blobs: &Blobs, what: &str) {
    let began = Instant::now();
    let bytes = Bytes::from_static(b"a picture");
    let (put, read, deleted, listed) = tokio::join!(
        blobs.put("aa/key", bytes),
        blobs.read_whole("aa/key", 100),
        blobs.delete("aa/key"),
        blobs.list().try_collect::<Vec<_>>(),
    );
    let outcomes = [put, read.map(drop), deleted, listed.map(drop)];
    for outcome in outcomes {
        assert!(
            matches!(outcome, Err(Error::DependencyUnavailable { dependency: Dependency::Storage, .. })),
            "{what}: {outcome:?}"
        );
    }
    assert!(began.elapsed() < PATIENCE, "{what}: {:?}", began.elapsed());
}

#[tokio::test]
async fn nobody_there_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    assert_unavailable(&at(&address), "nobody listens").await;
}

#[tokio::test]
async fn an_overload_is_told() {
    let answer = "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n";
    assert_unavailable(&answering(answer).await, "too busy").await;
}

#[tokio::test]
async fn silence_is_told() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\netag: \"x\"\r\n\
                 last-modified: Fri, 20 Nov 2026 12:00:00 GMT\r\n\r\nhalf a pic";
    let breaks_off = async {
        let began = Instant::now();
        let outcome = answering(begun).await.read_whole("aa/key", 100).await;
        assert!(
            matches!(outcome, Err(Error::DependencyUnavailable { dependency: Dependency::Storage, .. })),
            "{outcome:?}"
        );
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    };
    let says_nothing = async { assert_unavailable(&answering("").await, "silent").await };
    tokio::join!(breaks_off, says_nothing);
}
