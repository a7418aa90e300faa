//! What is known of one connection, by the wire below HTTP and by the requests above it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum End {
    /// Not at all, for now.
    Open,
    /// Without a word.
    Close,
    /// By a reset.
    Reset,
    /// With the answer that the head of a request did not come in time.
    HeadTooSlow,
}

/// The state of a connection. Every member stands for itself, so their order does not matter.
#[derive(Default)]
pub(super) struct Line {
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// Goes up when a request begins or ends, and when bytes of an answer go out.
    progress: AtomicU64,
    /// Whether bytes came in since the last request ended.
    heard: AtomicBool,
    /// Whether the client does not take what is to be sent.
    stalled: AtomicBool,
    /// Whether an answer was given to HTTP and has not gone out yet.
    owed: AtomicBool,
    /// Whether the client may still be sending what nobody will read.
    lingers: AtomicBool,
    end: AtomicU8,
}

/// A request, or a stream that answers it, keeps its connection busy until this is dropped.
pub(crate) struct Busy(Arc<Line>);

impl Line {
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Relaxed);
        self.progress.fetch_add(1, Relaxed);
        Busy(Arc::clone(self))
    }

    pub(super) fn hears(&self) {
        self.heard.store(true, Relaxed);
    }

    pub(super) fn sent(&self) {
        self.stalled.store(false, Relaxed);
        self.progress.fetch_add(1, Relaxed);
    }

    pub(super) fn stalls(&self) {
        self.stalled.store(true, Relaxed);
    }

    pub(super) fn owes(&self) {
        self.owed.store(true, Relaxed);
    }

    pub(super) fn has_paid(&self) {
        self.owed.store(false, Relaxed);
    }

    /// Whether what goes out now is no answer to any request.
    pub(super) fn is_out_of_turn(&self) -> bool {
        self.busy.load(Relaxed) == 0 && !self.owed.load(Relaxed)
    }

    pub(super) fn linger(&self) {
        self.lingers.store(true, Relaxed);
    }

    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Relaxed)
    }

    pub(super) fn end(&self, end: End) {
        self.end.store(end as u8, Relaxed);
    }

    pub(super) fn ends(&self) -> End {
        let end = self.end.load(Relaxed);
        let all = [End::Close, End::Reset, End::HeadTooSlow];
        all.into_iter().find(|&known| known as u8 == end).unwrap_or(End::Open)
    }

    pub(super) fn progress(&self) -> u64 {
        self.progress.load(Relaxed)
    }

    /// Ends a connection on which nothing has gone on for the time that it may.
    pub(super) fn end_if_idle(&self) {
        if self.stalled.load(Relaxed) {
            self.end(End::Reset);
        } else if self.busy.load(Relaxed) == 0 {
            let in_a_head = self.heard.load(Relaxed) && !self.lingers();
            self.end(if in_a_head { End::HeadTooSlow } else { End::Close });
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
        self.0.progress.fetch_add(1, Relaxed);
        self.0.heard.store(false, Relaxed);
    }
}
