//! Reads Intercom's error list leniently: skips malformed parts and keeps the rest.

use intercom_core::ApiError;
use serde_json::{Map, Value};

/// The limit of errors kept of a response.
const MAX_ERRORS: usize = 20;

/// The code of an error that has a message but no code.
const NO_CODE: &str = "unknown";

/// The unredacted error list of a response. It may name the contact.
#[derive(Default)]
pub(crate) struct ErrorList {
    pub(crate) errors: Vec<ApiError>,
    pub(crate) request_id: Option<String>,
    /// Whether the body's `type` says that it is an error list.
    is_typed: bool,
}

impl ErrorList {
    /// Parses a body. Returns `None` when it is not one of Intercom's error lists.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        // Most bodies are empty, and serde's error for them would allocate.
        if body.is_empty() {
            return None;
        }
        let Ok(Value::Object(list)) = serde_json::from_slice(body) else { return None };
        let Some(Value::Array(errors)) = list.get("errors") else { return None };
        let errors = errors.iter().filter_map(error).take(MAX_ERRORS).collect();
        let is_typed = text(&list, "type").is_some_and(|kind| kind == "error.list");
        Some(ErrorList { errors, request_id: text(&list, "request_id"), is_typed })
    }

    /// Returns whether the list denies a success: it has errors, or its type says that it is a list
    /// of errors.
    pub(crate) fn denies(&self) -> bool {
        self.is_typed || !self.errors.is_empty()
    }

    /// Returns whether an error has one of these codes.
    pub(crate) fn has_code(&self, codes: &[&str]) -> bool {
        self.errors.iter().any(|error| codes.contains(&error.code.as_str()))
    }

    /// Returns the messages in lower case.
    pub(crate) fn messages(&self) -> impl Iterator<Item = String> {
        self.errors.iter().filter_map(|error| Some(error.message.as_ref()?.to_lowercase()))
    }
}

fn error(value: &Value) -> Option<ApiError> {
    let Value::Object(error) = value else { return None };
    let (code, message) = (text(error, "code"), text(error, "message"));
    if code.is_none() && message.is_none() {
        return None;
    }
    let mut read = ApiError::new(code.unwrap_or_else(|| NO_CODE.to_owned()));
    read.message = message;
    read.field = text(error, "field");
    Some(read)
}

/// Returns a member as text. Accepts a number, because the code of some errors is their status.
fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
