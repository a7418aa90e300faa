//! Request ids: in the `X-Request-Id` header of every answer and in every error envelope. They are
//! opaque and not UUIDs, since some of Intercom's ids are not UUIDs.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The hexadecimal digits of a sandbox's prefix, and of a whole id.
const PREFIX: usize = 8;
const DIGITS: usize = 20;

/// Generates the ids of one sandbox.
pub(crate) struct RequestIds {
    /// Random, so that ids in one log tell two sandboxes apart.
    prefix: u64,
    next: AtomicU64,
}

/// The id of a request.
pub(crate) struct RequestId(HeaderValue);

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self { prefix: RandomState::new().hash_one(0), next: AtomicU64::new(1) }
    }

    pub(crate) fn draw(&self) -> RequestId {
        let mut id = [0; DIGITS];
        let (prefix, number) = id.split_at_mut(PREFIX);
        write_hexadecimal(prefix, self.prefix);
        write_hexadecimal(number, self.next.fetch_add(1, Ordering::Relaxed));
        // Digits are always a valid header value.
        RequestId(HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("")))
    }
}

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// Writes the id into its header.
    pub(crate) fn write_to(&self, headers: &mut HeaderMap) {
        headers.insert(X_REQUEST_ID, self.0.clone());
    }
}

/// Writes the lowest digits of a number. Every request needs an id, and formatting takes several
/// times as long.
fn write_hexadecimal(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}
