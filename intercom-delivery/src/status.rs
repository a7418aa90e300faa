//! How delivery is doing: what an operator wants to know.

use std::fmt;
use std::time::Duration;

use intercom_core::{ErrorKind, RateLimit};

/// How delivery is doing, in one moment. Made by [`Delivery::status`](crate::Delivery::status).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Whether anything is sent.
    pub line: LineStatus,
    /// How many requests are under way.
    pub in_flight: usize,
    /// What Intercom last said about its rate limit.
    pub rate_limit: Option<RateLimit>,
    /// What is wrong with the outbox, while its store cannot be read or written.
    pub outbox: Option<String>,
    /// Why contacts are not created, while Intercom does not let us.
    pub contact_creation: Option<String>,
}

/// Whether anything is sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LineStatus {
    /// Events are sent.
    Open,
    /// Nothing is sent before the rate limit's reset, or because Intercom asked for a pause.
    Paused {
        /// In how long it goes on.
        resumes_in: Duration,
    },
    /// Intercom cannot be reached. One event at a time tries whether it can again.
    Outage(Trouble),
    /// An operator is needed: the access token, the plan, a permission or the address is wrong. Nothing is lost; one
    /// event at a time tries whether it was mended.
    Stopped(Trouble),
    /// Delivery has ended: shut down, or gone with its runtime.
    Ended,
}

/// Why nothing is sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trouble {
    /// The kind of the last failure. `None` stands for a transport that panicked.
    pub kind: Option<ErrorKind>,
    /// The last failure in words, which say what to do.
    pub message: String,
    /// How long it has lasted.
    pub lasts: Duration,
    /// How often it was tried since.
    pub tries: u32,
    /// In how long it is tried again.
    pub next_try_in: Duration,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line)?;
        if let Some(message) = &self.outbox {
            write!(f, "; the outbox fails: {message}")?;
        }
        if let Some(message) = &self.contact_creation {
            write!(f, "; contacts are not created: {message}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LineStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineStatus::Open => f.write_str("open"),
            LineStatus::Paused { resumes_in } => {
                write!(f, "paused, as Intercom asked; goes on in {} s", whole(*resumes_in))
            }
            LineStatus::Outage(trouble) => write!(f, "outage: {trouble}"),
            LineStatus::Stopped(trouble) => write!(f, "stopped: {trouble}"),
            LineStatus::Ended => f.write_str("ended"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trouble { message, lasts, next_try_in, .. } = self;
        write!(f, "{message} (for {} s; next try in {} s)", lasts.as_secs(), whole(*next_try_in))
    }
}

fn whole(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
