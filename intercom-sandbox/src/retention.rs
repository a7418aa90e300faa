//! How much of what came in is remembered.

use serde::Serialize;

/// How much of what came in is remembered: see [`SandboxBuilder::retention`].
///
/// ```
/// use intercom_sandbox::{Retention, Sandbox};
///
/// let builder = Sandbox::builder().retention(Retention::default().keep_requests(100));
/// ```
///
/// [`SandboxBuilder::retention`]: crate::SandboxBuilder::retention
#[derive(Debug, Clone, Copy, Serialize)]
#[must_use = "a retention does nothing until a builder has it"]
pub struct Retention {
    pub(crate) keep_requests: usize,
    pub(crate) keep_events: usize,
    pub(crate) keep_bytes: usize,
    /// The builder knows what it is where nobody said: see [`Self::effective_deduplicate_among`].
    #[serde(skip)]
    deduplicate_among: Option<usize>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            keep_requests: 10_000,
            keep_events: 10_000,
            keep_bytes: 128 << 20,
            deduplicate_among: None,
        }
    }
}

impl Retention {
    /// Sets how many requests are remembered. The oldest leave, and stay in the count. Default: 10,000.
    pub fn keep_requests(mut self, requests: usize) -> Self {
        self.keep_requests = requests;
        self
    }

    /// Sets how many accepted events are remembered. The oldest leave, and stay in the count. Default:
    /// 10,000.
    pub fn keep_events(mut self, events: usize) -> Self {
        self.keep_events = events;
        self
    }

    /// Sets how many bytes the remembered requests can take, and again the remembered events. The
    /// oldest leave, and stay in the count. Default: 128 MiB.
    pub fn keep_bytes(mut self, bytes: usize) -> Self {
        self.keep_bytes = bytes;
        self
    }

    /// Sets among how many of the last accepted events a duplicate is found. Some older ones are found
    /// too, up to twice as many. Default: 25,000, or as many as are [kept](Self::keep_events) where
    /// that is more, so that the duplicate of a kept event is always found.
    pub fn deduplicate_among(mut self, events: usize) -> Self {
        self.deduplicate_among = Some(events);
        self
    }

    /// The number of events among which duplicates are found. A kept event takes at least `smallest`
    /// bytes, so that of events without number only as many are kept as have room.
    pub(crate) fn effective_deduplicate_among(&self, least: usize, smallest: usize) -> usize {
        let kept = self.keep_events.min(self.keep_bytes / smallest);
        self.deduplicate_among.unwrap_or(least.max(kept))
    }
}
