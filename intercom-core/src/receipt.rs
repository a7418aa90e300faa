//! The receipt of a sent event.

use std::time::Duration;

/// The receipt of an event that Intercom accepted, or that a transport stored for later delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    status: Option<u16>,
    request_id: Option<Box<str>>,
    rate_limit: Option<RateLimit>,
}

impl Receipt {
    /// Creates the receipt of an event that Intercom accepted with this HTTP status.
    pub fn delivered(status: u16) -> Self {
        Receipt { status: Some(status), request_id: None, rate_limit: None }
    }

    /// Creates the receipt of an event that a transport stored. Intercom does not have it yet.
    pub fn accepted() -> Self {
        Receipt { status: None, request_id: None, rate_limit: None }
    }

    /// Adds the id that Intercom gave the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<Box<str>>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// Adds the rate limit that Intercom reported.
    #[must_use]
    pub fn with_rate_limit(mut self, rate_limit: RateLimit) -> Self {
        self.rate_limit = Some(rate_limit);
        self
    }

    /// Returns whether Intercom accepted the event.
    pub fn is_delivered(&self) -> bool {
        self.status.is_some()
    }

    /// Returns whether a transport stored the event for later delivery.
    pub fn is_accepted(&self) -> bool {
        self.status.is_none()
    }

    /// Returns the HTTP status of Intercom's response, if one came.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns the id that Intercom gave the request. Intercom's support asks for it.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the rate limit that Intercom reported.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit
    }
}

/// The content of Intercom's `X-RateLimit` headers. Intercom limits the requests in each window of
/// 10 seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// The number of requests that the window allows.
    pub limit: Option<u32>,
    /// The number of requests left in the window.
    pub remaining: Option<u32>,
    /// The time until the window ends, counted from the response. Off by up to a second, because
    /// Intercom truncates its times to whole seconds.
    pub resets_in: Option<Duration>,
}

impl RateLimit {
    /// The longest time until a window of 10 seconds ends: 11 seconds, because Intercom truncates.
    /// A longer time comes from a wrong clock or another unit.
    pub const MAX_RESET: Duration = Duration::from_secs(11);

    /// Creates a rate limit without any content.
    pub fn new() -> Self {
        RateLimit::default()
    }

    /// Sets the number of requests that the window allows. The default is unknown.
    #[must_use]
    pub fn with_limit(mut self, limit: impl Into<Option<u32>>) -> Self {
        self.limit = limit.into();
        self
    }

    /// Sets the number of requests left in the window. The default is unknown.
    #[must_use]
    pub fn with_remaining(mut self, remaining: impl Into<Option<u32>>) -> Self {
        self.remaining = remaining.into();
        self
    }

    /// Sets the time until the window ends. The default is unknown.
    #[must_use]
    pub fn with_resets_in(mut self, resets_in: impl Into<Option<Duration>>) -> Self {
        self.resets_in = resets_in.into();
        self
    }
}
