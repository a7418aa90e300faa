//! Parsers of flag values: a text becomes a value, or a sentence with the right form.

use std::time::Duration;

use crate::{Identifier, Region, SeedContact};

pub(super) fn token(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("a token must not be empty, and has no spaces".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn app_id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c == ':' || c.is_control()) {
        return Err("an app id must not be empty, and has no colon".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn region(text: &str) -> Result<Region, String> {
    [Region::Us, Region::Eu, Region::Au]
        .into_iter()
        .find(|region| text.eq_ignore_ascii_case(&region.to_string()))
        .ok_or_else(|| "Intercom's regions are US, EU and AU".to_owned())
}

pub(super) fn contact(text: &str) -> Result<SeedContact, String> {
    match text.split_once('=') {
        Some((_, "")) => Err("the value is empty".to_owned()),
        Some(("user_id", value)) => Ok(SeedContact::user_id(value)),
        Some(("email", value)) => Ok(SeedContact::email(value)),
        Some(("id", value)) => Ok(SeedContact::contact_id(value)),
        _ => Err("expected user_id=…, email=… or id=…".to_owned()),
    }
}

/// Parses identifiers in some order.
pub(super) fn order(text: &str) -> Result<[Identifier; 3], String> {
    let kinds: Option<Vec<_>> = text
        .split(',')
        .map(|kind| match kind.trim() {
            "id" => Some(Identifier::ContactId),
            "user_id" => Some(Identifier::UserId),
            "email" => Some(Identifier::Email),
            _ => None,
        })
        .collect();
    match kinds.as_deref() {
        Some(&[a, b, c]) if a != b && b != c && a != c => Ok([a, b, c]),
        _ => Err("expected id, user_id and email in some order, with commas between".to_owned()),
    }
}

/// Parses a time, which can be zero.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds, such as 30".to_owned())
}

/// Parses a time that must not be zero.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("expected more than 0 seconds".to_owned()),
        time => Ok(time),
    }
}

/// Parses a number, which can be 0.
pub(super) fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a whole number, such as 1000".to_owned())
}

/// Parses a number of at least 1.
pub(super) fn room(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err("expected 1 or more".to_owned()),
        number => Ok(number),
    }
}

/// Parses a number of requests in a window.
pub(super) fn rate(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Err(
            "expected 1 or more: --no-rate-limit removes the limit, and --fault 'rate limit 0' \
                      refuses every request"
                .to_owned(),
        ),
        Ok(requests) => Ok(requests),
        Err(_) => Err("expected a whole number of requests, such as 1000".to_owned()),
    }
}

/// Parses the number of events among which to find duplicates.
pub(super) fn memory(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err("expected 1 or more: --keep-duplicates turns de-duplication off".to_owned()),
        events => Ok(events),
    }
}
