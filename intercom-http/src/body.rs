//! Reads response bodies, up to a limit.

use std::time::Duration;

use reqwest::Response;
use tokio::time::{Instant, timeout, timeout_at};

/// The most bytes that the transport reads of a response to a send: 64 KiB. Intercom's responses to
/// events are empty, and its error lists are far smaller.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The most bytes that the transport reads of a page of events or summaries: 8 MiB. 150 events with
/// ten texts of 255 characters take about 2 MB.
pub const MAX_PAGE_BYTES: usize = 8 << 20;

/// The part of a response's body that was read.
#[derive(Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
}

/// The end of a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// The body is complete.
    #[default]
    Complete,
    /// The connection broke, or time ran out.
    Broken,
    /// The body exceeds the limit.
    TooLong,
}

/// Reads a body, up to this many bytes. Never fails, because the head gives the response its
/// meaning.
pub(crate) async fn read(response: &mut Response, limit: usize, deadline: Instant) -> Body {
    let mut body = Body::default();
    let chunks = chunks(response, limit, |chunk| body.bytes.extend_from_slice(chunk));
    body.end = timeout_at(deadline, chunks).await.unwrap_or(End::Broken);
    body
}

/// The longest wait for the body of a success, whose meaning is known without it.
const DRAIN: Duration = Duration::from_secs(1);

/// Reads the body of a success to its end, so that the client can reuse the connection. A late body
/// costs the connection and does not spoil the success.
pub(crate) async fn glance(response: &mut Response) -> Body {
    let mut body = Body::default();
    if response.content_length() != Some(0) {
        let read = chunks(response, MAX_BODY_BYTES, |chunk| body.bytes.extend_from_slice(chunk));
        body.end = timeout(DRAIN, read).await.unwrap_or(End::Broken);
    }
    body
}

async fn chunks(response: &mut Response, limit: usize, mut take: impl FnMut(&[u8])) -> End {
    let mut room = limit;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() <= room => {
                room -= chunk.len();
                take(&chunk);
            }
            Ok(Some(chunk)) => {
                take(&chunk[..room]);
                return End::TooLong;
            }
            Ok(None) => return End::Complete,
            Err(_) => return End::Broken,
        }
    }
}
