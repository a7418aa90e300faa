//! The errors of the admin API: a status, and a sentence that says what is right.

use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::reply::Reply;

/// An error of the admin API. Its body is `{"error": "…"}`.
#[derive(Debug)]
pub(crate) struct AdminError {
    status: StatusCode,
    message: String,
}

impl AdminError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Refuses a wrong request; the message says what is right.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) async fn path_not_found(uri: Uri) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("there is no `/_sandbox{}`: `GET /_sandbox/` lists the paths", uri.path()),
        )
    }

    pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!(
                "`/_sandbox{}` does not take {method}: the Allow header lists its methods",
                uri.path()
            ),
        )
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let mut reply = Reply::json(&json!({"error": self.message}));
        reply.status = self.status;
        reply.into_response()
    }
}
