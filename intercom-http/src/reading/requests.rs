//! Sends the requests of reading back, and retries them.

use std::time::Duration;

use http::Method;
use intercom_core::{Contact, ErrorKind, SendError};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::cursor;
use super::error::ReadError;
use super::page::{self, Page};
use super::summary::EventSummary;
use crate::transport::Inner;

/// The limit of attempts of a request.
const MAX_TRIES: u32 = 5;

/// The wait after the first temporary failure, if the response names none. Each further wait
/// doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Reads one page: the first, or that of a cursor.
pub(super) async fn page(
    inner: &Inner,
    contact: &Contact,
    per_page: Option<u16>,
    cursor: Option<&cursor::Cursor>,
    number: u64,
) -> Result<Page, ReadError> {
    contact.check().map_err(ReadError::InvalidContact)?;
    let mut url = cursor::address(&inner.endpoints.events, contact);
    if let Some(per_page) = per_page {
        url.query_pairs_mut().append_pair("per_page", &per_page.to_string());
    }
    if let Some(cursor) = cursor {
        cursor.append_to(&mut url);
    }
    let question = Question { method: Method::GET, url: &url, body: None, contact };
    let body = answer(inner, &question, SendError::is_retryable).await?;
    page::read(&body, contact, number).map_err(|reason| ReadError::UnreadableAnswer { reason })
}

/// Reads the summaries of a contact's events.
pub(crate) async fn summaries(
    inner: &Inner,
    contact: &Contact,
) -> Result<Vec<EventSummary>, ReadError> {
    contact.check().map_err(ReadError::InvalidContact)?;
    let mut url = cursor::address(&inner.endpoints.events, contact);
    url.query_pairs_mut().append_pair("summary", "true");
    let question = Question { method: Method::GET, url: &url, body: None, contact };
    let body = answer(inner, &question, SendError::is_retryable).await?;
    let list: Value = serde_json::from_slice(&body)
        .map_err(|_| ReadError::UnreadableAnswer { reason: "it is no summary in JSON" })?;
    let events = list.get("events").and_then(Value::as_array);
    let events = events.ok_or(ReadError::UnreadableAnswer { reason: "it has no list `events`" })?;
    events
        .iter()
        .map(|json| {
            let reason = "one of its summaries has no name or no count";
            EventSummary::read(json).ok_or(ReadError::UnreadableAnswer { reason })
        })
        .collect()
}

/// Submits summaries of a contact's events.
pub(crate) async fn submit_summaries(
    inner: &Inner,
    contact: &Contact,
    summaries: &[EventSummary],
) -> Result<(), ReadError> {
    contact.check().map_err(ReadError::InvalidContact)?;
    let user_id = contact.as_user_id().ok_or(ReadError::NoUserId)?;
    for summary in summaries {
        let name = || summary.name.as_str().into();
        let invalid = |reason| ReadError::InvalidSummary { name: name(), reason };
        summary.check().map_err(invalid)?;
    }
    if summaries.is_empty() {
        return Ok(());
    }
    // Sends a list, as Intercom's API accepts it. Its description shows a single object.
    let summaries: Vec<Value> = summaries.iter().map(EventSummary::to_json).collect();
    let body = json!({ "user_id": user_id, "event_summaries": summaries }).to_string();
    let url = &inner.endpoints.summaries;
    let question = Question { method: Method::POST, url, body: Some(body), contact };
    // Retries only a 429, after which Intercom has certainly taken nothing. Intercom does not
    // document what a repetition does.
    answer(inner, &question, |error| error.kind() == ErrorKind::RateLimited).await?;
    Ok(())
}

/// A request about a contact.
struct Question<'a> {
    method: Method,
    url: &'a Url,
    body: Option<String>,
    contact: &'a Contact,
}

/// Sends a request, retries temporary failures, and returns the body.
async fn answer(
    inner: &Inner,
    question: &Question<'_>,
    may_repeat: fn(&SendError) -> bool,
) -> Result<Vec<u8>, SendError> {
    let Question { method, url, body, contact } = question;
    let mut tries = 0;
    loop {
        inner.rate.read_may_begin().await;
        tries += 1;
        match inner.converse(method.clone(), url, body.clone(), contact).await {
            Err(error) if tries < MAX_TRIES && may_repeat(&error) => {
                let wait = error.retry_after().unwrap_or(FIRST_WAIT * 2_u32.pow(tries - 1));
                tracing::debug!(tries, wait_s = wait.as_secs(), error = %error, "reading again");
                sleep(wait).await;
            }
            ended => return ended,
        }
    }
}
