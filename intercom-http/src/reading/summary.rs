//! Summaries: how often an event happened, and when first and last.

use intercom_core::{EventName, NameError, Timestamp, rules};
use serde_json::{Map, Value};

/// How often an event of one name happened to a contact, and when for the first and the last time.
///
/// Intercom gives it, and takes it for what happened before events were sent.
///
/// ```
/// use intercom_core::Timestamp;
/// use intercom_http::EventSummary;
///
/// let paid = EventSummary::new("invoice_paid", 12)
///     .first(Timestamp::from_unix_seconds(1_600_000_000))
///     .last(Timestamp::from_unix_seconds(1_700_000_000));
/// assert_eq!(paid.count, 12);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSummary {
    /// The event's name.
    pub name: String,
    /// How often it happened. Events older than 90 days count too, although no list has them.
    pub count: u64,
    /// When it happened first.
    pub first: Option<Timestamp>,
    /// When it happened last.
    pub last: Option<Timestamp>,
    /// What people wrote about the event in Intercom. It is not submitted.
    pub description: Option<String>,
}

impl EventSummary {
    /// Makes a summary that has no times.
    pub fn new(name: impl Into<String>, count: u64) -> Self {
        EventSummary { name: name.into(), count, first: None, last: None, description: None }
    }

    /// Says when it happened first. The default is not to say.
    #[must_use]
    pub fn first(mut self, first: impl Into<Timestamp>) -> Self {
        self.first = Some(first.into());
        self
    }

    /// Says when it happened last. The default is not to say.
    #[must_use]
    pub fn last(mut self, last: impl Into<Timestamp>) -> Self {
        self.last = Some(last.into());
        self
    }

    /// Whether Intercom can take it.
    ///
    /// # Errors
    ///
    /// Fails when no event can have the name, the count is 0, a time is in milliseconds, or the first time is
    /// after the last.
    pub(super) fn check(&self) -> Result<(), SummaryError> {
        EventName::new(self.name.as_str())?;
        if self.count == 0 {
            return Err(SummaryError::Never);
        }
        let in_milliseconds = |time: &Timestamp| {
            time.unix_seconds().unsigned_abs() > rules::MAX_UNIX_SECONDS.unsigned_abs()
        };
        if self.first.iter().chain(&self.last).any(in_milliseconds) {
            return Err(SummaryError::InMilliseconds);
        }
        match (self.first, self.last) {
            (Some(first), Some(last)) if first > last => Err(SummaryError::FirstAfterLast),
            _ => Ok(()),
        }
    }

    /// Returns what is submitted.
    pub(super) fn to_json(&self) -> Value {
        let times = [("first", self.first), ("last", self.last)];
        let times = times
            .into_iter()
            .filter_map(|(name, time)| Some((name.to_owned(), Value::from(time?.unix_seconds()))));
        let mut json = Map::from_iter([
            ("event_name".to_owned(), Value::from(self.name.as_str())),
            ("count".to_owned(), Value::from(self.count)),
        ]);
        json.extend(times);
        Value::Object(json)
    }

    /// Reads the summary of one name; `None` when it has no name or no count.
    pub(super) fn read(json: &Value) -> Option<Self> {
        let text = |name| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let time = |name| {
            // Intercom writes `+00:00` in some descriptions and `Z` in others.
            let time: jiff::Timestamp = text(name)?.parse().ok()?;
            Some(Timestamp::from_unix_seconds(time.as_second()))
        };
        Some(EventSummary {
            name: text("name")?.to_owned(),
            count: json.get("count")?.as_u64()?,
            first: time("first"),
            last: time("last"),
            description: text("description").map(str::to_owned),
        })
    }
}

/// Why a summary cannot be submitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SummaryError {
    /// No event can have the name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The count is 0.
    #[error("the count is 0; leave the summary out")]
    Never,
    /// A time is a number so large that it must be milliseconds.
    #[error("a time is in milliseconds; divide it by 1000")]
    InMilliseconds,
    /// The first time is after the last.
    #[error("the first time is after the last; swap them")]
    FirstAfterLast,
}
