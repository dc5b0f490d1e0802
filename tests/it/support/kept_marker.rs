//! The identity that a storage made up by a test keeps, so that a server accepts it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// The marker of a fake S3 server.
#[derive(Clone, Default)]
pub struct KeptMarker(Arc<Mutex<Option<String>>>);

impl KeptMarker {
    /// The answer to a request for the marker, or for a list, in which there is nothing; `None` for
    /// others. The first line is in lower case.
    pub fn answer(&self, first_line: &str, body: &[u8]) -> Option<String> {
        if first_line.starts_with("get ") && first_line.contains("list-type=2") {
            let nothing = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
            return Some(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{nothing}", nothing.len()));
        }
        if !first_line.contains("/cloakroom-storage.json ") {
            return None;
        }
        let mut kept = self.0.lock().expect("no panic");
        if first_line.starts_with("put ") {
            *kept = Some(String::from_utf8(body.to_vec()).expect("JSON"));
            return Some("HTTP/1.1 200 OK\r\netag: \"x\"\r\ncontent-length: 0\r\n\r\n".to_owned());
        }
        Some(match kept.as_deref() {
            None => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Some(marker) => format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\netag: \"x\"\r\n\
                 last-modified: Fri, 20 Nov 2026 12:00:00 GMT\r\n\r\n{marker}",
                marker.len()
            ),
        })
    }
}

/// Reads the next HTTP request of a connection: its first line in lower case, and its body. `None` at the end.
pub async fn read_request(stream: &mut BufReader<impl AsyncRead + Unpin>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut line) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return None;
        }
        head.push_str(&line.to_lowercase());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    stream.read_exact(&mut body).await.expect("the body");
    Some((head.lines().next().unwrap_or_default().to_owned(), body))
}
