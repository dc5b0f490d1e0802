//! The body of a response, which keeps its connection counted for the request's client until it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::http::places::Loan;

/// A body with the [`Loan`] of its request, if there is one. Not in a box: it costs no allocation.
pub(super) struct CountedBody {
    body: Body,
    _loan: Option<Arc<Loan>>,
}

impl CountedBody {
    pub(super) fn new(body: Body, loan: Option<Arc<Loan>>) -> Self {
        Self { body, _loan: loan }
    }
}

impl hyper::body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
