//! Clients that do not read an image keep little of it in memory, and no connection to the storage.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cloakroom::storage::Blobs;
use futures_util::TryStreamExt as _;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Form, PATIENCE, Process, s3_settings, slow_connection};

const UPLOAD: &str = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) { photos { \
    original: image(size: ORIGINAL) { url byteSize } } userErrors { message } } }";
/// Clients that do not read.
const CLIENTS: u64 = 500;
/// Of one of them: 1,500 cost less than 100 MB.
const MAX_KB: u64 = 66;

/// A picture of noise with a million bytes and more.
fn picture() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 1000, 400);
    encoder.set_color(png::ColorType::Rgb);
    let mut random = 1_u64;
    let mut noise = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random.to_be_bytes()[0]
    };
    let pixels: Vec<u8> = (0..1000 * 400 * 3).map(|_| noise()).collect();
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels)).expect("a picture");
    file
}

#[tokio::test]
async fn clients_that_do_not_read_an_image_cost_little_memory() {
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(data_dir.path(), |command| {
        command.env("CLOAKROOM__HTTP__ANSWER_SECONDS", "3600");
    });
    let token = server.sign_up("anna").await;
    let variables = json!({ "input": { "photos": [{ "file": null }], "publish": true } });
    let form = Form::of(UPLOAD, &variables, &[("variables.input.photos.0.file", &picture())]);
    let answer = server.upload(&token, form).await.expect("an answer");
    let image = &answer["data"]["uploadPhotos"]["photos"][0]["original"];
    let length = image["byteSize"].as_u64().unwrap_or_else(|| panic!("a picture, not {answer}"));
    assert!(length > 1_000_000, "{length} bytes");
    let url = image["url"].as_str().expect("a URL");
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).expect("a path");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");

    let open = async || {
        let mut client = slow_connection(server.address).await;
        client.write_all(request.as_bytes()).await.expect("it is sent");
        // Once the first byte is here, the rest waits in the server.
        let mut first = [0];
        client.read_exact(&mut first).await.expect("an answer");
        client
    };
    // What the first ones cost is there once.
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(open().await);
    }
    let before = server.resident_kb();
    for _ in 0..CLIENTS {
        clients.push(open().await);
    }
    let each = server.resident_kb().saturating_sub(before) / CLIENTS;
    assert!(each < MAX_KB, "{each} kB for each");

    let mut rest = Vec::new();
    clients[0].read_to_end(&mut rest).await.expect("the rest");
    assert!(rest.len() as u64 > length, "the head and the image: {} bytes", rest.len());
}

/// A storage with one object, under every name, which counts the requests that it is answering.
#[derive(Clone, Default)]
struct CountingStorage {
    answering: Arc<AtomicUsize>,
    requested: Arc<AtomicUsize>,
}

/// Its object.
const OBJECT_BYTES: usize = 4 << 20;

fn object(range: Range<usize>) -> Vec<u8> {
    range.map(|at| (at / 251 + at) as u8).collect()
}

impl CountingStorage {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let storage = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(storage.clone().answer(stream));
            }
        });
        address
    }

    async fn answer(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(range) = requested_range(&mut stream).await {
            self.answering.fetch_add(1, Ordering::SeqCst);
            self.requested.fetch_add(range.len(), Ordering::SeqCst);
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {}-{}/{OBJECT_BYTES}\r\n\
                 etag: \"x\"\r\nlast-modified: Fri, 20 Nov 2026 12:00:00 GMT\r\n\r\n",
                range.len(),
                range.start,
                range.end - 1
            );
            let sent = stream.write_all(&[head.into_bytes(), object(range)].concat()).await;
            self.answering.fetch_sub(1, Ordering::SeqCst);
            if sent.is_err() {
                return;
            }
        }
    }
}

/// The bytes that the next request asks for; `None` at the end of the connection.
async fn requested_range(stream: &mut BufReader<TcpStream>) -> Option<Range<usize>> {
    let (mut range, mut line) = (0..OBJECT_BYTES, String::new());
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return None;
        }
        if let Some(asked) = line.to_lowercase().strip_prefix("range: bytes=") {
            let (start, last) = asked.trim().split_once('-').expect("a range");
            let last: usize = last.parse().expect("its last byte");
            range = start.parse().expect("its first byte")..(last + 1).min(OBJECT_BYTES);
        }
    }
    Some(range)
}

#[tokio::test]
async fn readers_that_pause_keep_no_connection_to_s3() {
    let storage = CountingStorage::default();
    let address = storage.start().await;
    let settings = super::blobs::settings(|settings| s3_settings(settings, &address));
    let blobs = Blobs::open(&settings, "nowhere".as_ref()).expect("the storage opens");
    let range = 1000..OBJECT_BYTES as u64;
    let mut readers = Vec::new();
    for _ in 0..100 {
        let read = blobs.read("aa/key", Some(range.clone())).await.expect("an answer");
        let (size, mut content) = read.expect("the object");
        assert_eq!(size, OBJECT_BYTES as u64);
        let first = content.try_next().await.expect("no error").expect("a piece");
        assert!(first.len() <= 64 << 10, "{} bytes at once", first.len());
        readers.push((first, content));
    }
    let began = Instant::now();
    while storage.answering.load(Ordering::SeqCst) > 0 {
        assert!(began.elapsed() < PATIENCE, "no request is open");
        tokio::task::yield_now().await;
    }
    let requested = storage.requested.load(Ordering::SeqCst);
    assert!(requested < 16 << 20, "{requested} bytes for readers that have read nothing of them");

    let expected = object(1000..OBJECT_BYTES);
    for (first, content) in readers.into_iter().step_by(33) {
        let rest: Vec<bytes::Bytes> = content.try_collect().await.expect("the rest");
        assert!([first.to_vec(), rest.concat()].concat() == expected, "every byte of the range");
    }
}

#[tokio::test]
async fn readers_that_leave_make_room_for_large_windows() {
    let storage = CountingStorage::default();
    let address = storage.start().await;
    let settings = super::blobs::settings(|settings| s3_settings(settings, &address));
    let blobs = Blobs::open(&settings, "nowhere".as_ref()).expect("the storage opens");
    for _ in 0..3 {
        let mut readers = Vec::new();
        for _ in 0..20 {
            let before = storage.requested.load(Ordering::SeqCst);
            readers.push(blobs.read("aa/key", Some(0..OBJECT_BYTES as u64)).await.expect("an answer"));
            let window = storage.requested.load(Ordering::SeqCst) - before;
            let expected = if readers.len() <= 16 { 512 << 10 } else { 32 << 10 };
            assert_eq!(window, expected, "of reader {}", readers.len());
        }
    }
}
