//! A body that breaks off, or is not as long as its head says.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderValue, Version, header};
use bytes::Bytes;
use hyper::body::Frame;

use crate::reply::Reply;
use crate::server::{Outgoing, Response};

/// Half of the body where there is one; then the connection ends.
pub(super) fn half_of(reply: &Reply) -> Bytes {
    reply.body.slice(..reply.body.len() / 2)
}

/// All of the body, where somebody wrote another length into the head. HTTP's own library must not
/// know how long it is: it insists on being told the truth.
pub(super) fn misjudged(reply: &Reply) -> Option<Bytes> {
    let written: usize = reply.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    (written != reply.body.len()).then(|| reply.body.clone())
}

/// The answer with no more than this of its body, and the length that was written; else the promise
/// of all of it, and of one byte more, where it is all.
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
        // An error would overtake what was given so far, and the head too. The length that was
        // promised makes this end an error all the same.
        if self.version == Version::HTTP_2 {
            return Poll::Ready(None);
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
