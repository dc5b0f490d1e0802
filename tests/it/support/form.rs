//! Forms of the GraphQL multipart request specification, whole or broken in any way.

use axum::body::Body;
use axum::http::{Request, header};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Caller, PATIENCE, Reply, TestApp};

/// Between the parts of every form.
pub const BOUNDARY: &str = "----Form-boundary.7";

/// A form's bytes so far.
#[derive(Clone, Default)]
pub struct Form(Vec<u8>);

impl Form {
    /// A whole form, but for its end: a request, and files for these places in its variables.
    pub fn of(query: &str, variables: &Value, files: &[(&str, &[u8])]) -> Self {
        let places = files.iter().enumerate().map(|(at, (place, _))| (at.to_string(), json!([place])));
        let form = Self::with_map(query, variables, &Value::Object(places.collect()));
        files.iter().enumerate().fold(form, |form, (at, (_, content))| form.file(&at.to_string(), content))
    }

    /// A request and its map.
    pub fn with_map(query: &str, variables: &Value, map: &Value) -> Self {
        let operations = json!({ "query": query, "variables": variables });
        Self::default().part("operations", operations.to_string()).part("map", map.to_string())
    }

    /// A part without anything else to it.
    pub fn part(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.headed(&format!("Content-Disposition: form-data; name=\"{name}\"\r\n"), content)
    }

    /// A part as browsers send files, with a name that leads elsewhere and a type that it does not have.
    pub fn file(self, name: &str, content: &[u8]) -> Self {
        let head = format!(
            "Content-Disposition: form-data; name=\"{name}\"; filename=\"../../../tmp/{FILE_NAME}\"\r\n\
             Content-Type: text/html\r\n"
        );
        self.headed(&head, content)
    }

    /// A part with this head, whose lines have their ends.
    pub fn headed(self, head: &str, content: impl AsRef<[u8]>) -> Self {
        self.bytes(format!("--{BOUNDARY}\r\n{head}\r\n")).bytes(content).bytes("\r\n")
    }

    /// Anything.
    pub fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    /// The form with its end.
    pub fn end(self) -> Vec<u8> {
        self.bytes(format!("--{BOUNDARY}--\r\n")).0
    }

    /// The form without its end.
    pub fn cut(self) -> Vec<u8> {
        self.0
    }
}

/// What the files of [`Form::file`] are called by their sender.
pub const FILE_NAME: &str = "holiday-in-secret.jpg";

impl Caller {
    /// Sends a whole form.
    pub async fn upload(&self, form: Form) -> Reply {
        self.send(form_request(Body::from(form.end()))).await
    }

    /// Sends a body as a form, in chunks of this many bytes.
    pub async fn upload_in_chunks(&self, body: Vec<u8>, length: usize) -> Reply {
        let body = Bytes::from(body);
        let chunks: Vec<_> = (0..body.len())
            .step_by(length)
            .map(|at| Ok::<_, std::convert::Infallible>(body.slice(at..body.len().min(at + length))))
            .collect();
        self.send(form_request(Body::from_stream(futures_util::stream::iter(chunks)))).await
    }
}

/// A request with this body as its form.
pub fn form_request(body: Body) -> Request<Body> {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    Request::post("/graphql").header(header::CONTENT_TYPE, content_type).body(body).expect("a request")
}

impl TestApp {
    /// How many files of uploads there are.
    pub fn uploads(&self) -> usize {
        std::fs::read_dir(self.data_dir().join("uploads")).map_or(0, Iterator::count)
    }

    /// Waits until there are so many.
    pub async fn uploads_are(&self, count: usize) {
        let reached = async {
            while self.uploads() != count {
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        assert!(reached.is_ok(), "{} files, not {count}", self.uploads());
    }
}
