//! Summaries: an event's count, and its first and last time.

use intercom_core::{EventName, NameError, Timestamp, rules};
use serde_json::{Map, Value};

/// How often the events of one name happened to a contact, and when the first and the last did.
///
/// [`summaries`](crate::HttpTransport::summaries) returns them.
/// [`submit_summaries`](crate::HttpTransport::submit_summaries) submits them, for events from
/// before the program sent any.
///
/// ```
/// use intercom_core::Timestamp;
/// use intercom_http::EventSummary;
///
/// let paid = EventSummary::new("invoice_paid", 12)
///     .with_first(Timestamp::from_unix_seconds(1_600_000_000))
///     .with_last(Timestamp::from_unix_seconds(1_700_000_000));
/// assert_eq!(paid.count, 12);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSummary {
    /// The event's name.
    pub name: String,
    /// The count. It includes events older than 90 days, which no list has.
    pub count: u64,
    /// The time of the first event.
    pub first: Option<Timestamp>,
    /// The time of the last event.
    pub last: Option<Timestamp>,
    /// The description that people wrote in Intercom. Submitting omits it.
    pub description: Option<String>,
}

impl EventSummary {
    /// Creates a summary without times.
    pub fn new(name: impl Into<String>, count: u64) -> Self {
        EventSummary { name: name.into(), count, first: None, last: None, description: None }
    }

    /// Sets the time of the first event. The default is none.
    #[must_use]
    pub fn with_first(mut self, first: impl Into<Timestamp>) -> Self {
        self.first = Some(first.into());
        self
    }

    /// Sets the time of the last event. The default is none.
    #[must_use]
    pub fn with_last(mut self, last: impl Into<Timestamp>) -> Self {
        self.last = Some(last.into());
        self
    }

    /// Checks that Intercom can take the summary.
    ///
    /// # Errors
    ///
    /// Fails when the name cannot be an event's, the count is 0, a time is in milliseconds, or the
    /// first time is after the last.
    pub(super) fn check(&self) -> Result<(), SummaryError> {
        EventName::new(self.name.as_str())?;
        if self.count == 0 {
            return Err(SummaryError::ZeroCount);
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

    /// Returns the JSON to submit.
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

    /// Reads the summary of one name. Returns `None` without a name or a count.
    pub(super) fn read(json: &Value) -> Option<Self> {
        let text = |name| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let time = |name| {
            // Intercom's descriptions have `+00:00` in some places and `Z` in others.
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

/// The reason that a summary is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SummaryError {
    /// The name is not valid for an event.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The count is 0.
    #[error("the count is 0; leave the summary out")]
    ZeroCount,
    /// A time is a number so large that it must be milliseconds.
    #[error("a time is in milliseconds; divide it by 1000")]
    InMilliseconds,
    /// The first time is after the last.
    #[error("the first time is after the last; swap them")]
    FirstAfterLast,
}
