//! A body that breaks off, or differs in length from its header.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderValue, Version, header};
use bytes::Bytes;
use hyper::body::Frame;

use crate::reply::Reply;
use crate::server::{Outgoing, Response};

/// Returns half of the body; the connection ends after it.
pub(super) fn half_of(reply: &Reply) -> Bytes {
    reply.body.slice(..reply.body.len() / 2)
}

/// Returns the whole body if a test wrote another `Content-Length`. The body then hides its real
/// length, because hyper insists on a correct header.
pub(super) fn with_wrong_length(reply: &Reply) -> Option<Bytes> {
    let written: usize = reply.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    (written != reply.body.len()).then(|| reply.body.clone())
}

/// Returns the answer with only this part of its body, and the written length. If the part is the
/// whole body, the header promises one byte more.
pub(crate) fn response(mut reply: Reply, part: Bytes, version: Version) -> Response {
    let promised = HeaderValue::from(reply.body.len().max(part.len() + 1));
    reply.headers.entry(header::CONTENT_LENGTH).or_insert(promised);
    let body = Body::new(CutShort { rest: Some(part), flushed: false, version });
    Outgoing::response(reply).map(|_| Outgoing::of_body(body))
}

struct CutShort {
    rest: Option<Bytes>,
    flushed: bool,
    version: Version,
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
        // An error would overtake the bytes sent so far, and the head too. The promised length
        // makes this end an error all the same.
        if self.version == Version::HTTP_2 {
            return Poll::Ready(None);
        }
        // An error would discard the bytes sent so far, so the body waits for a flush first.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("a fault breaks the body off here"))))
    }
}
