//! Request ids: in the `X-Request-Id` header of every answer and in every error envelope. They are
//! opaque, and no UUIDs: Intercom's are not always either.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives out the ids of one sandbox.
pub(crate) struct RequestIds {
    /// Random, so that two sandboxes in one log can be told apart.
    prefix: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self { prefix: RandomState::new().hash_one(0) as u32, next: AtomicU64::new(1) }
    }

    pub(crate) fn draw(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}{number:012x}", self.prefix)
    }
}

/// Writes the id into its header.
pub(crate) fn write(id: &str, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(X_REQUEST_ID, value);
    }
}
