//! The current user. The gateway before this service logs users in, and names the user in a header.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

const USER: &str = "x-user-id";

/// The user who is asking.
#[derive(Clone, Copy)]
pub(crate) struct CurrentUser(pub(crate) u64);

/// Lets a request through that has a user, and tells the handlers who it is.
pub(crate) async fn require(mut request: Request, next: Next) -> Response {
    let id = request.headers().get(USER).and_then(|id| id.to_str().ok()?.parse().ok());
    match id {
        Some(id) => {
            request.extensions_mut().insert(CurrentUser(id));
            next.run(request).await
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
