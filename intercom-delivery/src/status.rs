//! The state of a delivery, for an operator.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use intercom_core::{ErrorKind, RateLimit, SendError};
use tokio::time::Instant;

use crate::engine::Doubt;
use crate::outbox::Epoch;
use crate::telemetry::Labels;

/// The state of a delivery, at one moment. [`Delivery::status`](crate::Delivery::status) makes it.
///
/// With the feature `serde` it is `Serialize`: durations are in seconds, times in Unix seconds.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// The labels of the delivery.
    pub labels: BTreeMap<String, String>,
    /// Whether the delivery sends events, and if not, why.
    pub state: State,
    /// The turn of this delivery, while it is the one that delivers from the outbox.
    pub turn: Option<DeliveringTurn>,
    /// The number of requests in flight.
    pub in_flight: usize,
    /// The rate limit in Intercom's last answer that had one.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize::rate_limit"))]
    pub rate_limit: Option<RateLimit>,
    /// Why the engine ignores the reset in Intercom's responses, while it does.
    pub rate_limit_doubt: Option<String>,
    /// The fault of the outbox, while its store fails.
    pub outbox: Option<String>,
    /// Why Intercom creates no contacts, while it refuses every creation.
    pub contact_creation: Option<String>,
}

/// The turn of a delivery that delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeliveringTurn {
    /// The epoch. A delivery that takes over has a higher one.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize::epoch"))]
    pub epoch: Epoch,
    /// When the turn began.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize::time"))]
    pub since: SystemTime,
}

/// Whether a delivery sends events.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// The outbox has not answered yet whose turn it is.
    Starting,
    /// The delivery sends events.
    Delivering,
    /// Another process delivers from the same outbox. This one accepts, and takes over when the
    /// other ends.
    Standby {
        /// The process that delivers, as a text for people.
        deliverer: String,
        /// The beginning of its turn.
        #[cfg_attr(feature = "serde", serde(serialize_with = "serialize::time"))]
        since: SystemTime,
    },
    /// The delivery waits for the rate limit's reset, or because Intercom asked for a pause.
    Paused {
        /// The rest of the pause.
        #[cfg_attr(feature = "serde", serde(serialize_with = "serialize::seconds"))]
        resumes_in: Duration,
    },
    /// Intercom is out of reach, or every event fails. Single events probe whether that has passed.
    Outage(Trouble),
    /// An operator must act: the access token, the plan, a permission or the address is wrong, or a
    /// proxy answers instead of Intercom. No event is lost. Single events probe for the fix.
    Stopped(Trouble),
    /// The delivery was shut down, or its runtime has ended.
    Ended,
}

/// Why a delivery sends nothing.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Trouble {
    /// The kind of the last failure. `None` stands for a panic of the transport.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize::kind"))]
    pub kind: Option<ErrorKind>,
    /// The last failure, and what to do, as a text for people.
    pub message: String,
    /// The time since the trouble began.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize::seconds"))]
    pub lasts: Duration,
    /// The number of failed probes since then.
    pub probes: u32,
    /// The time until the next probe.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize::seconds"))]
    pub next_probe_in: Duration,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.labels {
            write!(f, "{name}={value} ")?;
        }
        write!(f, "{}", self.state)?;
        if let Some(message) = &self.outbox {
            write!(f, "; the outbox fails: {message}")?;
        }
        if let Some(message) = &self.contact_creation {
            write!(f, "; contacts are not created: {message}")?;
        }
        if let Some(message) = &self.rate_limit_doubt {
            write!(f, "; the rate limit's reset is not believed: {message}")?;
        }
        Ok(())
    }
}

/// One line for people. It begins with one of these words, which do not change:
///
/// | text | state |
/// |---|---|
/// | `starting` | [`Starting`](State::Starting) |
/// | `delivering` | [`Delivering`](State::Delivering) |
/// | `on standby: {deliverer} delivers` | [`Standby`](State::Standby) |
/// | `paused at Intercom's request; resumes in {n} s` | [`Paused`](State::Paused) |
/// | `outage: {message} (for {n} s; next probe in {n} s)` | [`Outage`](State::Outage) |
/// | `stopped: {message} (for {n} s; next probe in {n} s)` | [`Stopped`](State::Stopped) |
/// | `ended` | [`Ended`](State::Ended) |
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Starting => f.write_str("starting"),
            State::Delivering => f.write_str("delivering"),
            State::Standby { deliverer, .. } => write!(f, "on standby: {deliverer} delivers"),
            State::Paused { resumes_in } => {
                write!(f, "paused at Intercom's request; resumes in {} s", whole(*resumes_in))
            }
            State::Outage(trouble) => write!(f, "outage: {trouble}"),
            State::Stopped(trouble) => write!(f, "stopped: {trouble}"),
            State::Ended => f.write_str("ended"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trouble { message, lasts, next_probe_in, .. } = self;
        write!(
            f,
            "{message} (for {} s; next probe in {} s)",
            lasts.as_secs(),
            whole(*next_probe_in)
        )
    }
}

#[cfg(feature = "serde")]
mod serialize {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use intercom_core::{ErrorKind, RateLimit};
    use serde::{Serialize, Serializer};

    use crate::outbox::Epoch;
    use crate::telemetry;

    #[derive(Serialize)]
    struct WindowFields {
        limit: Option<u32>,
        remaining: Option<u32>,
        resets_in: Option<f64>,
    }

    pub(super) fn rate_limit<S: Serializer>(
        window: &Option<RateLimit>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let window = window.map(|RateLimit { limit, remaining, resets_in, .. }| WindowFields {
            limit,
            remaining,
            resets_in: resets_in.map(|wait| wait.as_secs_f64()),
        });
        window.serialize(serializer)
    }

    pub(super) fn epoch<S: Serializer>(epoch: &Epoch, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(epoch.get())
    }

    pub(super) fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        serializer.serialize_u64(since.as_secs())
    }

    pub(super) fn seconds<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    /// The kind, as the metrics name it.
    pub(super) fn kind<S: Serializer>(
        kind: &Option<ErrorKind>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        kind.map_or("panicked", telemetry::outcome).serialize(serializer)
    }
}

fn whole(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// What the engine publishes about itself.
#[derive(Default)]
pub(crate) struct Health {
    labels: Labels,
    published: Mutex<Published>,
    in_flight: AtomicUsize,
    /// Pending events: the outbox's last number, less those that left since.
    pending: AtomicU64,
}

#[derive(Default)]
pub(crate) struct Published {
    pub(crate) condition: Condition,
    pub(crate) turn: Option<DeliveringTurn>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) rate_limit_doubt: Option<Doubt>,
    pub(crate) outbox: Option<String>,
    pub(crate) contact_creation: Option<String>,
}

#[derive(Clone, Default)]
pub(crate) enum Condition {
    #[default]
    Starting,
    Delivering,
    Standby {
        deliverer: String,
        since: SystemTime,
    },
    Paused(Instant),
    Open {
        open: Open,
        next_probe: Instant,
    },
    Ended,
}

/// Why the breaker is open.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// Whether an operator is needed.
    pub(crate) stopped: bool,
    /// Whether that is because Intercom refuses the token or the plan.
    pub(crate) account: bool,
    pub(crate) since: Instant,
    /// The number of probes by events that never failed.
    pub(crate) firsts: u32,
    /// The number of failed probes.
    pub(crate) probes: u32,
    /// When an event that never failed may probe, and when one that did.
    pub(crate) next_first: Instant,
    pub(crate) next_again: Instant,
    pub(crate) cause: Cause,
}

impl Open {
    /// Returns when the next probe may go. `first`: an event that never failed is
    /// ready.
    pub(crate) fn next_probe(&self, first: bool) -> Instant {
        if first { self.next_first } else { self.next_again }
    }
}

/// The last failure.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    /// `None` stands for a panic of the transport.
    pub(crate) kind: Option<ErrorKind>,
    pub(crate) message: String,
}

impl Cause {
    pub(crate) fn panic() -> Self {
        Cause { kind: None, message: "the transport panicked".to_owned() }
    }
}

impl From<&SendError> for Cause {
    fn from(error: &SendError) -> Self {
        Cause { kind: Some(error.kind()), message: format!("{error:?}") }
    }
}

impl Health {
    pub(crate) fn new(labels: Labels) -> Self {
        Health { labels, ..Health::default() }
    }

    /// Each field is valid by itself, so a panic leaves a valid state.
    pub(crate) fn published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_in_flight(&self, requests: usize) {
        self.in_flight.store(requests, Ordering::Relaxed);
    }

    pub(crate) fn set_pending(&self, events: u64) {
        self.pending.store(events, Ordering::Relaxed);
    }

    pub(crate) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.published().condition, Condition::Ended)
    }

    pub(crate) fn status(&self) -> Status {
        let published = self.published();
        Status {
            labels: self.labels.iter().cloned().collect(),
            state: published.condition.state(Instant::now()),
            turn: published.turn,
            in_flight: self.in_flight.load(Ordering::Relaxed),
            rate_limit: published.rate_limit,
            rate_limit_doubt: published.rate_limit_doubt.map(|doubt| doubt.to_string()),
            outbox: published.outbox.clone(),
            contact_creation: published.contact_creation.clone(),
        }
    }
}

impl Condition {
    fn state(&self, now: Instant) -> State {
        let until = |time: Instant| time.saturating_duration_since(now);
        match self {
            Condition::Starting => State::Starting,
            Condition::Delivering => State::Delivering,
            Condition::Standby { deliverer, since } => {
                State::Standby { deliverer: deliverer.clone(), since: *since }
            }
            Condition::Paused(end) if until(*end).is_zero() => State::Delivering,
            Condition::Paused(end) => State::Paused { resumes_in: until(*end) },
            Condition::Ended => State::Ended,
            Condition::Open { open, next_probe } => {
                let trouble = Trouble {
                    kind: open.cause.kind,
                    message: open.cause.message.clone(),
                    lasts: now.saturating_duration_since(open.since),
                    probes: open.probes,
                    next_probe_in: until(*next_probe),
                };
                match open.stopped {
                    true => State::Stopped(trouble),
                    false => State::Outage(trouble),
                }
            }
        }
    }
}
