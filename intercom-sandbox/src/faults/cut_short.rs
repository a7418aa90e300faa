//! A body that breaks off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderValue, header};
use bytes::Bytes;
use hyper::body::Frame;

use crate::reply::Reply;
use crate::server::{Outgoing, Response};

/// Half of the body where there is one; then the connection ends.
pub(crate) fn half_of(reply: &Reply) -> Bytes {
    reply.body.slice(..reply.body.len() / 2)
}

/// The answer with no more than this of its body, and the promise of all of it; of one byte more,
/// where it is all.
pub(crate) fn response(mut reply: Reply, half: Bytes) -> Response {
    let promised = reply.body.len().max(half.len() + 1);
    reply.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(promised));
    let body = Body::new(CutShort { rest: Some(half), flushed: false });
    Outgoing::response(reply).map(|_| Outgoing::of_body(body))
}

struct CutShort {
    rest: Option<Bytes>,
    flushed: bool,
}

impl hyper::body::Body for CutShort {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(data) = self.rest.take().filter(|data| !data.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        // What was given so far goes out while the body makes the server wait, and would be thrown
        // away by the error.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("the fault says to break off here"))))
    }
}
