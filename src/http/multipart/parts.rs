//! The parts of a form, one by one, in bounded memory.
//!
//! The parser takes all that the body has ready before it looks at any of it, and searches on for the end of a part's
//! head however much it has searched. So the body is handed to it a chunk at a time, and no further ones when it has
//! made nothing of the last [`MAX_HEAD_BYTES`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use multer::{Field, Multipart};

use super::Refusal;
use crate::http::body;
use crate::http::memory_budget::Charge;
use crate::http::pace::TooSlow;

/// The largest head of a part, and what may stand before the first one.
pub(super) const MAX_HEAD_BYTES: usize = 16 * 1024;

/// A form's parts.
pub(super) struct Parts {
    form: Multipart<'static>,
    taken: Taken,
}

/// One of them, which is read before the next one.
pub(super) struct Part {
    field: Field<'static>,
    taken: Taken,
}

impl Parts {
    pub(super) fn new<S>(body: S, boundary: &str) -> Self
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
    {
        let taken = Taken::default();
        let body = ByChunks { body, taken: taken.clone(), rests: false };
        Self { form: Multipart::new(body, boundary), taken }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Part>, Refusal> {
        let field = self.form.next_field().await.map_err(refusal)?;
        self.taken.forget();
        Ok(field.map(|field| Part { field, taken: self.taken.clone() }))
    }

    /// The content of the next part, which must be the one of this name, charged as it arrives.
    pub(super) async fn text(&mut self, name: &str, limit: usize, charge: &mut Charge) -> Result<Vec<u8>, Refusal> {
        let part = self.next().await?.filter(|part| part.name() == Some(name));
        let Some(mut part) = part else {
            let message =
                format!("The form's parts are `operations`, `map`, and then the files: `{name}` is not there.");
            return Err(Refusal::malformed(message));
        };
        let mut text = Vec::new();
        while let Some(chunk) = part.chunk().await? {
            if text.len().saturating_add(chunk.len()) > limit {
                return Err(Refusal::TooLarge(format!("The part `{name}` has at most {limit} bytes.")));
            }
            body::append(&mut text, &chunk, charge)?;
        }
        Ok(text)
    }
}

impl Part {
    pub(super) fn name(&self) -> Option<&str> {
        self.field.name()
    }

    /// More of its content; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Refusal> {
        let chunk = self.field.chunk().await.map_err(refusal)?;
        self.taken.forget();
        Ok(chunk)
    }
}

fn refusal(error: multer::Error) -> Refusal {
    use multer::Error::{IncompleteFieldData, IncompleteHeaders, IncompleteStream, StreamReadFailed};
    match error {
        StreamReadFailed(cause) if cause.is::<EndlessHead>() => {
            Refusal::TooLarge(format!("The head of a form's part has at most {MAX_HEAD_BYTES} bytes."))
        }
        StreamReadFailed(cause) => match TooSlow::find(&*cause) {
            Some(slow) => Refusal::TooSlow(slow.message()),
            None => Refusal::malformed("The body ended early."),
        },
        IncompleteFieldData { .. } | IncompleteHeaders | IncompleteStream => Refusal::malformed(
            "The body is no form with the boundary that its `Content-Type` names, or it ended early.",
        ),
        _ => Refusal::malformed("The head of a form's part is malformed."),
    }
}

/// How many bytes the parser has taken since it last made something of them.
#[derive(Clone, Default)]
struct Taken(Arc<AtomicUsize>);

impl Taken {
    fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A body that gives one chunk and then lets others go first.
struct ByChunks<S> {
    body: S,
    taken: Taken,
    rests: bool,
}

impl<S: Stream<Item = Result<Bytes, axum::Error>> + Unpin> Stream for ByChunks<S> {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.rests) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.taken.0.load(Ordering::Relaxed) > MAX_HEAD_BYTES {
            return Poll::Ready(Some(Err(EndlessHead.into())));
        }
        Poll::Ready(match ready!(Pin::new(&mut self.body).poll_next(context)) {
            Some(Ok(chunk)) => {
                self.taken.0.fetch_add(chunk.len(), Ordering::Relaxed);
                self.rests = true;
                Some(Ok(chunk))
            }
            Some(Err(error)) => Some(Err(error.into())),
            None => None,
        })
    }
}

/// The head of a part, or what stands before the first one, goes on and on.
#[derive(Debug)]
struct EndlessHead;

impl fmt::Display for EndlessHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part's head is too long")
    }
}

impl std::error::Error for EndlessHead {}
