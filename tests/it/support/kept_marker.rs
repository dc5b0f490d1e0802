//! The identity that a storage made up by a test keeps, so that a server accepts it.

use std::sync::{Arc, Mutex};

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
