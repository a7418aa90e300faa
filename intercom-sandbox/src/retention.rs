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
    /// Sets how many requests the sandbox remembers. The count includes those that it forgets, the
    /// oldest first. Default: 10,000.
    pub fn keep_requests(mut self, requests: usize) -> Self {
        self.keep_requests = requests;
        self
    }

    /// Sets how many accepted events the sandbox remembers. The count includes those that it
    /// forgets, the oldest first. Default: 10,000.
    pub fn keep_events(mut self, events: usize) -> Self {
        self.keep_events = events;
        self
    }

    /// Sets the bytes for remembered requests, and again for remembered events. The counts include
    /// those that it forgets, the oldest first. Default: 128 MiB.
    pub fn keep_bytes(mut self, bytes: usize) -> Self {
        self.keep_bytes = bytes;
        self
    }

    /// Sets among how many of the last accepted events the sandbox finds a duplicate. It may look
    /// at up to twice as many. Default: 25,000, or the number of [kept](Self::keep_events) events
    /// if that is higher, so that the sandbox finds each duplicate of a kept event.
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
