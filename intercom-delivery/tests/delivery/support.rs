//! An Intercom in virtual time: windows, slow responses, and counters.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use intercom_core::{
    Contact, ContactCreation, DataEvent, DynamicEvent, ErrorKind, RateLimit, Receipt, SendError,
    Timestamp, Transport, async_trait,
};
use tokio::time::{Instant, sleep};

const WINDOW: Duration = Duration::from_secs(10);

/// The rate limit headers of its responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headers {
    /// Limit, remaining and reset, in whole seconds as Intercom sends them.
    All,
    /// None.
    None,
    /// A reset in the past.
    PastReset,
    /// All, and `Retry-After` of an hour in a refusal.
    AbsurdRetryAfter,
    /// A reset in milliseconds, which a transport limits to an hour.
    Milliseconds,
    /// A reset by a clock that is this many seconds ahead of the one for `Date`.
    Ahead(i64),
    /// All, but no reset.
    NoReset,
}

/// The start of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    /// At the first request after the last window.
    ByRequest,
    /// At the end of the last window, without a request too.
    BackToBack,
}

/// Accepts a number of requests in a window. The windows do not begin on whole seconds. The reset
/// and `Date` are cut to whole seconds.
#[derive(Clone)]
pub(crate) struct LimitedIntercom {
    limit: u32,
    headers: Arc<Mutex<Headers>>,
    windows: Windows,
    /// Other senders of the same app use this many requests of each window at once.
    others: u32,
    /// The delay of a request, and of a response.
    way: Duration,
    started: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The start of the window, by the server's clock.
    window: Option<Duration>,
    used: u32,
    taken: Vec<Instant>,
    refused: Vec<Instant>,
}

impl LimitedIntercom {
    /// Makes one whose clock's whole seconds differ from other clocks'.
    pub(crate) fn new(limit: u32, headers: Headers) -> Self {
        let started = Instant::now() - Duration::from_millis(1_000_370);
        let way = Duration::from_millis(25);
        let windows = Windows::ByRequest;
        let headers = Arc::new(Mutex::new(headers));
        LimitedIntercom { limit, headers, windows, others: 0, way, started, state: Arc::default() }
    }

    pub(crate) fn windows(mut self, windows: Windows) -> Self {
        self.windows = windows;
        self
    }

    /// Replaces the headers.
    pub(crate) fn set_headers(&self, headers: Headers) {
        *self.headers.lock().unwrap() = headers;
    }

    /// Advances the server's clock by less than a second.
    pub(crate) fn later(mut self, by: Duration) -> Self {
        self.started -= by;
        self
    }

    pub(crate) fn used_by_others(mut self, requests: u32) -> Self {
        self.others = requests;
        self
    }

    pub(crate) fn far_away(mut self, way: Duration) -> Self {
        self.way = way;
        self
    }

    pub(crate) fn taken(&self) -> Vec<Instant> {
        self.state.lock().unwrap().taken.clone()
    }

    pub(crate) fn refused(&self) -> Vec<Instant> {
        self.state.lock().unwrap().refused.clone()
    }

    fn count(&self) -> Result<Receipt, SendError> {
        let now = Instant::now();
        let clock = now - self.started;
        let headers = *self.headers.lock().unwrap();
        let mut state = self.state.lock().unwrap();
        if state.window.is_none_or(|opened| clock >= opened + WINDOW) {
            state.window = Some(match (self.windows, state.window) {
                (Windows::BackToBack, Some(opened)) => {
                    let ended = (clock - opened).as_secs() / WINDOW.as_secs();
                    opened + WINDOW * u32::try_from(ended).unwrap()
                }
                // Another sender began the first window.
                (Windows::BackToBack, None) => clock - Duration::from_millis(3_800),
                (Windows::ByRequest, _) => clock,
            });
            state.used = self.others;
        }
        let reset = (state.window.unwrap() + WINDOW).as_secs();
        let resets_in = Duration::from_secs(reset - clock.as_secs());
        let taken = state.used < self.limit;
        state.used += u32::from(taken);
        let told_reset = match headers {
            Headers::PastReset => Some(Duration::ZERO),
            Headers::Milliseconds => Some(Duration::from_secs(3600)),
            Headers::Ahead(by) => {
                let ahead = i64::try_from(resets_in.as_secs()).unwrap() + by;
                Some(Duration::from_secs(u64::try_from(ahead).unwrap_or(0)))
            }
            Headers::NoReset => None,
            Headers::All | Headers::None | Headers::AbsurdRetryAfter => Some(resets_in),
        };
        let told = RateLimit::new()
            .with_limit(self.limit)
            .with_remaining(self.limit - state.used)
            .with_resets_in(told_reset);
        let told = Some(told).filter(|_| headers != Headers::None);
        if taken {
            state.taken.push(now);
            let receipt = Receipt::delivered(202);
            return Ok(match told {
                Some(told) => receipt.with_rate_limit(told),
                None => receipt,
            });
        }
        state.refused.push(now);
        let mut error = SendError::new(ErrorKind::RateLimited).with_status(429);
        if let Some(told) = told {
            error = error.with_rate_limit(told);
            if headers == Headers::AbsurdRetryAfter {
                error = error.with_retry_after(Duration::from_secs(100 * 365 * 86_400));
            }
        }
        Err(error)
    }
}

#[async_trait]
impl Transport for LimitedIntercom {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        sleep(self.way).await;
        let answer = self.count();
        sleep(self.way).await;
        answer
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

/// Makes events of one name and second, each of another contact, so that none collides.
pub(crate) fn events(number: u64) -> Vec<DataEvent> {
    let event = DynamicEvent::new("project_created").unwrap();
    let time = Timestamp::from_unix_seconds(1_700_000_000);
    (0..number).map(|user| DataEvent::new(&event, Contact::user_id(user), time).unwrap()).collect()
}

/// An Intercom that can be down, and counts its requests. A given share fails at random.
#[derive(Clone)]
pub(crate) struct UnreliableIntercom {
    failing: Arc<AtomicBool>,
    failing_percent: u8,
    rng: Arc<Mutex<fastrand::Rng>>,
    asked: Arc<Mutex<Vec<Instant>>>,
    taken: Arc<Mutex<Vec<DataEvent>>>,
}

impl UnreliableIntercom {
    pub(crate) fn new() -> Self {
        UnreliableIntercom {
            failing: Arc::default(),
            failing_percent: 0,
            rng: Arc::new(Mutex::new(fastrand::Rng::with_seed(7))),
            asked: Arc::default(),
            taken: Arc::default(),
        }
    }

    pub(crate) fn failing_percent(mut self, percent: u8) -> Self {
        self.failing_percent = percent;
        self
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.failing.store(down, Ordering::Relaxed);
    }

    pub(crate) fn asked(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn taken(&self) -> Vec<DataEvent> {
        self.taken.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for UnreliableIntercom {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        self.asked.lock().unwrap().push(Instant::now());
        sleep(Duration::from_millis(20)).await;
        let unlucky = self.rng.lock().unwrap().u8(..100) < self.failing_percent;
        if unlucky || self.failing.load(Ordering::Relaxed) {
            return Err(SendError::new(ErrorKind::Unavailable).with_status(503));
        }
        self.taken.lock().unwrap().push(event);
        Ok(Receipt::delivered(202))
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}
