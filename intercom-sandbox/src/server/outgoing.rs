//! The body of an answer: one piece, as all of Intercom's are, or a stream, or no answer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{self, StatusCode};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::connection_state::ActivityGuard;
use crate::reply::Reply;

/// The size of the largest piece of a body, in bytes. A connection's buffer grows to the largest
/// piece, and stays that large.
pub(crate) const PIECE: usize = 16 << 10;

pub(crate) type Response = http::Response<Outgoing>;

pub(crate) enum Outgoing {
    Whole(Bytes),
    Stream {
        body: Body,
        /// Keeps the connection busy while the stream lasts.
        busy: Option<ActivityGuard>,
    },
}

impl Outgoing {
    pub(crate) fn response(reply: Reply) -> Response {
        let mut response = http::Response::new(Self::Whole(reply.body));
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }

    pub(crate) fn of_body(body: Body) -> Self {
        Self::Stream { body, busy: None }
    }

    /// Keeps the connection busy until the body has ended.
    pub(super) fn keep(&mut self, guard: ActivityGuard) {
        if let Self::Stream { busy, .. } = self {
            *busy = Some(guard);
        }
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Self::Stream { body, .. } => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream { body, .. } => body.size_hint(),
        }
    }
}

/// An end of the connection instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disconnect {
    /// Close the connection.
    HangUp,
    /// Reset the connection; over HTTP/2 only the request's stream.
    Reset,
}

impl Disconnect {
    /// Returns a response that never goes out, and that tells the connection how to end.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Outgoing::response(Reply::empty(StatusCode::OK));
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault breaks the connection")
    }
}

impl std::error::Error for Disconnect {}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::{Bytes, Outgoing, PIECE};

    /// A connection's buffer grows to the largest piece that ever went out.
    #[tokio::test]
    async fn a_large_answer_goes_out_in_pieces() {
        let mut body = Outgoing::Whole(Bytes::from(vec![0; 2 * PIECE + 1]));
        let mut sizes = Vec::new();
        while let Some(frame) = body.frame().await {
            sizes.push(frame.expect("a frame").into_data().expect("data").len());
        }
        assert_eq!(sizes, [PIECE, PIECE, 1]);
    }
}
