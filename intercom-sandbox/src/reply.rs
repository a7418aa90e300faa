//! An answer, before it goes out.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// How many headers most answers have: their request id, the rate limit's three, and their type.
const USUAL_HEADERS: usize = 5;

/// Status, headers and body.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::with_capacity(USUAL_HEADERS), body: Bytes::new() }
    }

    /// `200` with this as JSON.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        // The types answered here hold strings, numbers and booleans: they cannot fail.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::of_json(StatusCode::OK, body.into())
    }

    /// This status with a body that is JSON already.
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
