//! In the place of an answer: an end of the connection.

use std::fmt;

use super::outgoing::{Outgoing, Response};
use crate::reply::Reply;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The connection is closed.
    HangUp,
    /// The connection is reset, and over HTTP/2 the request's stream alone.
    Reset,
}

impl Cut {
    /// A response that never goes out, and tells the connection what to do.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Outgoing::response(Reply::empty(axum::http::StatusCode::OK));
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault says to break the connection")
    }
}

impl std::error::Error for Cut {}
