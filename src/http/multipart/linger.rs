//! The end of a body that nobody wants.
//!
//! Who refuses a request in the middle of its body and hangs up makes the kernel reset the connection, and with that
//! the client may lose the answer: browsers then show a broken connection in place of the error. So the answer goes out
//! at once, and the rest is read for a while and thrown away.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::runtime::Handle;

/// What is thrown away at most. A client that still does not listen is hung up on.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// A body whose rest is read off when this is dropped.
pub(in crate::http) struct Lingering {
    body: Option<BodyDataStream>,
    /// The client sends nothing before it is asked to, and asking is what reading does.
    unasked: bool,
    time: Duration,
}

impl Lingering {
    /// The body of a request with these headers; its rest is read for `time` at most.
    pub(in crate::http) fn new(body: Body, headers: &HeaderMap, time: Duration) -> Self {
        let body = (!body.is_end_stream()).then(|| body.into_data_stream());
        Self { body, unasked: headers.contains_key(header::EXPECT), time }
    }

    /// How many bytes are to come at least.
    pub(in crate::http) fn length(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| HttpBody::size_hint(body).lower())
    }
}

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.unasked = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let next = body.poll_next_unpin(context);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        next
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| !self.unasked && !body.is_end_stream());
        let (Some(body), Ok(runtime)) = (body, Handle::try_current()) else { return };
        runtime.spawn(tokio::time::timeout(self.time, read_off(body)));
    }
}

async fn read_off(mut body: BodyDataStream) {
    let mut read = 0;
    while let Some(Ok(chunk)) = body.next().await {
        read += chunk.len();
        if read > MAX_BYTES {
            return;
        }
    }
}
