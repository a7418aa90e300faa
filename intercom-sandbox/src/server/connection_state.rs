//! The state of one connection. The stream below HTTP, the requests, and the server's idle timer
//! share the state.

use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::raw_response::RawResponses;
use crate::sync::lock;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum End {
    /// The connection stays open.
    Open,
    /// A plain close.
    Close,
    /// A reset.
    Reset,
    /// An answer that the request head was too slow, then a close.
    HeadTooSlow,
}

/// The state of a connection. Only the connection's own task ends it, after doing all other work,
/// since only that task knows what it does next.
pub(super) struct ConnectionState {
    /// Answers to bytes that are not HTTP.
    pub(super) raw: Arc<RawResponses>,
    /// Requests in progress.
    busy: AtomicUsize,
    /// Whether bytes of an answer went out since the last idle check.
    active: AtomicBool,
    /// Whether bytes came in since the last request ended.
    has_input: AtomicBool,
    /// Whether the client has stopped reading.
    stalled: AtomicBool,
    /// Whether HTTP has an answer that is not on the network yet.
    unsent_answer: AtomicBool,
    /// Whether the client may still send a body that the server does not read.
    lingers: AtomicBool,
    /// Whether the connection takes no further request.
    closing: AtomicBool,
    /// Whether the connection was idle for a whole idle period.
    overdue: AtomicBool,
    end: AtomicU8,
    /// The waker of the connection's task.
    waker: Mutex<Option<Waker>>,
}

/// Keeps a connection busy, for a request or a streamed answer, until dropped.
pub(crate) struct ActivityGuard(Arc<ConnectionState>);

impl ConnectionState {
    pub(super) fn new(raw: Arc<RawResponses>) -> Self {
        Self {
            raw,
            busy: AtomicUsize::new(0),
            active: AtomicBool::new(true),
            has_input: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            unsent_answer: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            overdue: AtomicBool::new(false),
            end: AtomicU8::new(End::Open as u8),
            waker: Mutex::new(None),
        }
    }

    pub(super) fn received(&self) {
        self.has_input.store(true, Relaxed);
    }

    pub(super) fn sent(&self) {
        self.stalled.store(false, Relaxed);
        self.active.store(true, Relaxed);
    }

    pub(super) fn write_blocked(&self) {
        self.stalled.store(true, Relaxed);
    }

    pub(super) fn flushed(&self) {
        self.unsent_answer.store(false, Relaxed);
    }

    /// Returns whether the next bytes answer no request: hyper's own status.
    pub(super) fn is_unsolicited(&self) -> bool {
        // An unsent answer precedes the end of its request.
        self.busy.load(Acquire) == 0 && !self.unsent_answer.load(Relaxed)
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
        const CLOSE: u8 = End::Close as u8;
        const RESET: u8 = End::Reset as u8;
        const HEAD_TOO_SLOW: u8 = End::HeadTooSlow as u8;
        match self.end.load(Relaxed) {
            CLOSE => End::Close,
            RESET => End::Reset,
            HEAD_TOO_SLOW => End::HeadTooSlow,
            _ => End::Open,
        }
    }

    /// Sets the waker of the connection's task.
    pub(super) fn set_waker(&self, waker: &Waker) {
        *lock(&self.waker) = Some(waker.clone());
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    /// Lets requests in progress end, and takes no further request.
    pub(super) fn close(&self) {
        self.closing.store(true, Relaxed);
        self.wake();
    }

    /// Ends the idle period: the connection is overdue unless an answer went out meanwhile.
    pub(super) fn end_idle_period(&self) {
        if !self.active.swap(false, Relaxed) {
            self.overdue.store(true, Relaxed);
            self.wake();
        }
    }

    /// Ends the connection if it is overdue and idle, and returns whether it ends. Only the
    /// connection's task calls this.
    pub(super) fn end_if_idle(&self) -> bool {
        if !self.overdue.swap(false, Relaxed) || self.active.load(Relaxed) {
            return false;
        }
        if self.stalled.load(Relaxed) {
            self.end(End::Reset);
        } else if self.is_unsolicited() {
            let in_a_head = self.has_input.load(Relaxed) && !self.lingers();
            self.end(if in_a_head { End::HeadTooSlow } else { End::Close });
        } else {
            return false;
        }
        true
    }

    /// Wakes the task. Earlier stores are visible to the task, even if it has yet to set its waker,
    /// because both sides take the lock.
    fn wake(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }
}

impl ActivityGuard {
    pub(super) fn new(state: Arc<ConnectionState>) -> Self {
        state.busy.fetch_add(1, Relaxed);
        Self(state)
    }

    pub(super) fn state(&self) -> &ConnectionState {
        &self.0
    }

    /// Records that HTTP has an answer to send.
    pub(super) fn has_answer(&self) {
        self.0.unsent_answer.store(true, Relaxed);
    }
}

impl Drop for ActivityGuard {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Release);
        self.0.has_input.store(false, Relaxed);
    }
}
