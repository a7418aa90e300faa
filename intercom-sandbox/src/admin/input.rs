//! The JSON bodies of the admin API. An error names the place of the mistake.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::error::AdminError;
use crate::api::{ReadBody, read_body};
use crate::workspace::Workspace;

/// The size of the largest body, in bytes: enough for a hundred thousand contacts.
const LIMIT: usize = 16 << 20;

/// A body that parses as this type.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Workspace>> for Input<T> {
    type Rejection = AdminError;

    async fn from_request(
        request: Request,
        workspace: &Arc<Workspace>,
    ) -> Result<Self, AdminError> {
        let timeout = workspace.limits.body_timeout;
        match read_body(request.into_body(), LIMIT, timeout, &workspace.body_budget).await.0 {
            ReadBody::Whole(body) => parse(&body).map(Self).map_err(AdminError::bad_request),
            ReadBody::TooLarge { .. } => Err(AdminError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body exceeds {LIMIT} bytes: send it in parts"),
            )),
            ReadBody::TooSlow => {
                Err(AdminError::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))
            }
            ReadBody::BudgetFull => Err(AdminError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many large bodies arrive at once: send this one again later",
            )),
            ReadBody::Broken => Err(AdminError::bad_request("the body ended too early")),
        }
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        match &*path {
            "." => cause.to_string(),
            _ => format!("{path}: {cause}"),
        }
    })?;
    json.end().map_err(|error| error.to_string())?;
    Ok(value)
}
