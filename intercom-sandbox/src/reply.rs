//! An answer before it goes out.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The number of headers of most answers: request id, three of the rate limit, and media type.
const USUAL_HEADERS: usize = 5;

/// Status, headers and body.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// Creates an answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::with_capacity(USUAL_HEADERS), body: Bytes::new() }
    }

    /// Creates a `200` with this value as JSON.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        // The answered types hold strings, numbers and booleans, which always serialize.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::of_json(StatusCode::OK, body.into())
    }

    /// Creates an answer with this status and a JSON body.
    pub(crate) fn of_json(status: StatusCode, body: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(USUAL_HEADERS);
        headers.insert(header::CONTENT_TYPE, JSON);
        Self { status, headers, body }
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
