//! The body of a request, as far as it is worth reading.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::BodyExt as _;

use crate::refusal::Refusal;

pub(super) enum ReadBody {
    Whole(Bytes),
    TooLarge,
    /// The client broke off.
    Broken,
}

impl ReadBody {
    /// All of it.
    ///
    /// # Errors
    /// `413` where it is beyond the limit, `400` where the client broke off.
    pub(super) fn whole(&self) -> Result<&Bytes, Refusal> {
        match self {
            Self::Whole(body) => Ok(body),
            Self::TooLarge => Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "The body is too large",
            )),
            Self::Broken => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "The body ended too early",
            )),
        }
    }

    /// What is kept of it in the records.
    pub(super) fn kept(&self) -> Bytes {
        match self {
            Self::Whole(body) => body.clone(),
            Self::TooLarge | Self::Broken => Bytes::new(),
        }
    }
}

/// Reads a body to its end, and keeps no more of it than the limit. What is beyond is read all the
/// same, so that the client gets its answer and not a connection closed under its hands.
pub(super) async fn read(mut body: Body, limit: usize) -> ReadBody {
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return ReadBody::Broken;
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len();
        if size > limit {
            rest = Vec::new();
        } else if first.is_empty() {
            // Most bodies come in one piece, which is not copied.
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if size > limit {
        return ReadBody::TooLarge;
    }
    if rest.is_empty() {
        return ReadBody::Whole(first);
    }
    let mut whole = first.to_vec();
    whole.append(&mut rest);
    ReadBody::Whole(whole.into())
}
