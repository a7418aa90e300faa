//! How a sent event was taken.

use std::time::Duration;

/// Says that an event was taken, and by whom: answered by Intercom, or accepted for delivery later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    status: Option<u16>,
    request_id: Option<Box<str>>,
    rate_limit: Option<RateLimit>,
}

impl Receipt {
    /// Intercom answered, with this HTTP status: the event is there.
    pub fn delivered(status: u16) -> Self {
        Receipt { status: Some(status), request_id: None, rate_limit: None }
    }

    /// The event was accepted for delivery, and Intercom has not seen it yet.
    pub fn accepted() -> Self {
        Receipt { status: None, request_id: None, rate_limit: None }
    }

    /// Adds the id that Intercom gave the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<Box<str>>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// Adds what Intercom said about its rate limit.
    #[must_use]
    pub fn with_rate_limit(mut self, rate_limit: RateLimit) -> Self {
        self.rate_limit = Some(rate_limit);
        self
    }

    /// Whether Intercom has answered for the event.
    pub fn is_delivered(&self) -> bool {
        self.status.is_some()
    }

    /// Whether the event waits to be delivered by this program.
    pub fn is_accepted(&self) -> bool {
        self.status.is_none()
    }

    /// The HTTP status of Intercom's answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The id that Intercom gave the request, for questions to its support.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// What Intercom said about its rate limit.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit
    }
}

/// What Intercom's `X-RateLimit` headers say: the budget of the current window of 10 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests the window allows.
    pub limit: Option<u32>,
    /// How many are left of them.
    pub remaining: Option<u32>,
    /// In how long the window ends, counted from the moment of the answer. Off by up to a second,
    /// because Intercom cuts its times to whole seconds.
    pub resets_in: Option<Duration>,
}

impl RateLimit {
    /// The longest reset that a window of 10 seconds can have. A longer one comes from a wrong clock, or
    /// from another unit.
    pub const MAX_RESET: Duration = Duration::from_secs(11);
}
