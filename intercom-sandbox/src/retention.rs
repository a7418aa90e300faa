//! How much the sandbox remembers.

use serde::Serialize;

/// How much the sandbox remembers: see [`SandboxBuilder::retention`].
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
    /// `None` until set: see [`Self::effective_deduplicate_among`].
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
    /// Sets how many requests the sandbox remembers. It forgets the oldest first, and still counts
    /// them. Default: 10,000.
    pub fn keep_requests(mut self, requests: usize) -> Self {
        self.keep_requests = requests;
        self
    }

    /// Sets how many accepted events the sandbox remembers. It forgets the oldest first, and still
    /// counts them. Default: 10,000.
    pub fn keep_events(mut self, events: usize) -> Self {
        self.keep_events = events;
        self
    }

    /// Sets the bytes for remembered requests, and the same number again for remembered events. The
    /// sandbox forgets the oldest first, and still counts them. Default: 128 MiB.
    pub fn keep_bytes(mut self, bytes: usize) -> Self {
        self.keep_bytes = bytes;
        self
    }

    /// Sets with how many of the last accepted events the sandbox compares a new one to find a
    /// duplicate. It may compare with up to twice as many. Default: 25,000, or the number of
    /// [remembered](Self::keep_events) events if that is higher.
    pub fn deduplicate_among(mut self, events: usize) -> Self {
        self.deduplicate_among = Some(events);
        self
    }

    /// Returns the number of events among which the sandbox finds duplicates. A kept event takes at
    /// least `smallest` bytes, which bounds the number if `keep_events` is larger.
    pub(crate) fn effective_deduplicate_among(&self, least: usize, smallest: usize) -> usize {
        let kept = self.keep_events.min(self.keep_bytes / smallest);
        self.deduplicate_among.unwrap_or(least.max(kept))
    }
}
