//! The request body, read within limits of size and time.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;

use crate::body_budget::BodyBudget;
use crate::refusal::Refusal;

/// The bytes of a body beyond the limit to read and discard. Closing with unread input would reset
/// the connection and lose the answer.
const DRAIN: usize = 8 << 20;

/// A body, or why there is none.
pub(crate) enum ReadBody {
    Whole(Bytes),
    /// The body exceeds the limit.
    TooLarge {
        unread: bool,
    },
    /// The body did not arrive in time.
    TooSlow,
    /// Other incoming bodies fill the budget.
    BudgetFull,
    /// The client broke off.
    Broken,
}

impl ReadBody {
    /// Returns the whole body.
    ///
    /// # Errors
    /// `413` if the body exceeds the limit, `408` if it did not arrive in time. `503` if other
    /// incoming bodies fill the budget, `400` if the client broke off.
    pub(crate) fn whole(&self) -> Result<&Bytes, Refusal> {
        match self {
            Self::Whole(body) => Ok(body),
            Self::TooLarge { .. } => Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "The body is too large",
            )
            .with_hint("Send less: an event has few keys, and short strings.")),
            Self::TooSlow => Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                "The body did not come in time",
            )
            .with_hint(
                "Send as many bytes of the body as Content-Length says, and without a pause.",
            )),
            Self::BudgetFull => Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_bodies",
                "Too many large bodies are on their way in",
            )
            .with_hint(
                "Send less at a time, or start the sandbox with a higher max_incoming_bytes.",
            )),
            Self::Broken => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "The body ended too early",
            )
            .with_hint(
                "Send the whole body: as long as Content-Length says, or chunked to its end.",
            )),
        }
    }

    /// Returns the part that the records keep.
    pub(super) fn kept(&self) -> &[u8] {
        match self {
            Self::Whole(body) => body,
            Self::TooLarge { .. } | Self::TooSlow | Self::BudgetFull | Self::Broken => &[],
        }
    }

    /// Returns whether more of the body follows, so that the connection cannot serve another
    /// request.
    pub(super) fn is_unread(&self) -> bool {
        matches!(self, Self::TooLarge { unread: true } | Self::TooSlow | Self::BudgetFull)
    }
}

/// Reads a body to its end, keeps at most the limit, and returns whether it had to wait.
pub(crate) async fn read<B>(
    mut body: B,
    limit: usize,
    timeout: Duration,
    budget: &BodyBudget,
) -> (ReadBody, bool)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut reading = pin!(read_all(&mut body, limit, budget));
    // Most bodies have arrived already, and need no timer.
    match poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
        Poll::Ready(body) => (body, false),
        Poll::Pending => {
            let body = Box::pin(tokio::time::timeout(timeout, reading)).await;
            (body.unwrap_or(ReadBody::TooSlow), true)
        }
    }
}

async fn read_all<B>(body: &mut B, limit: usize, budget: &BodyBudget) -> ReadBody
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    let mut size = 0;
    let mut share = budget.share();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return ReadBody::Broken;
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len();
        if size > limit.saturating_add(DRAIN) {
            return ReadBody::TooLarge { unread: true };
        }
        if size == data.len() && size <= limit && body.is_end_stream() {
            // Most bodies arrive in one piece, which needs no copy and no budget.
            return ReadBody::Whole(data);
        }
        if size > limit {
            first = Bytes::new();
            rest = Vec::new();
            share.give_back();
        } else if !share.grow(data.len()) {
            return ReadBody::BudgetFull;
        } else if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if size > limit {
        return ReadBody::TooLarge { unread: false };
    }
    if rest.is_empty() {
        return ReadBody::Whole(first);
    }
    let mut whole = first.to_vec();
    whole.append(&mut rest);
    ReadBody::Whole(whole.into())
}
