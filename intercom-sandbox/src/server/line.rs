//! What is known of one connection: by the wire below HTTP, by the requests above it, and by the
//! server beside it, which has the clock.

use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::raw_response::RawResponses;
use crate::sync::lock;

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

/// The state of a connection. Its own task alone decides how it is to end, when it has done all that it
/// could: nobody else knows what it is about to do.
pub(super) struct Line {
    /// What answers that which is no HTTP.
    pub(super) raw: Arc<RawResponses>,
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// Whether bytes of an answer went out since the server looked.
    active: AtomicBool,
    /// Whether bytes came in since the last request ended.
    heard: AtomicBool,
    /// Whether the client does not take what is to be sent.
    stalled: AtomicBool,
    /// Whether an answer was given to HTTP and has not gone out yet.
    owed: AtomicBool,
    /// Whether the client may still be sending what nobody will read.
    lingers: AtomicBool,
    /// Whether no further request is to be taken.
    closing: AtomicBool,
    /// Whether nothing has gone on for the time that it may.
    overdue: AtomicBool,
    end: AtomicU8,
    /// Of the task that serves it.
    waker: Mutex<Option<Waker>>,
}

/// A request, or a stream that answers it, keeps its connection busy until this is dropped.
pub(crate) struct Busy(Arc<Line>);

impl Line {
    pub(super) fn new(raw: Arc<RawResponses>) -> Self {
        Self {
            raw,
            busy: AtomicUsize::new(0),
            active: AtomicBool::new(true),
            heard: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            owed: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            overdue: AtomicBool::new(false),
            end: AtomicU8::new(End::Open as u8),
            waker: Mutex::new(None),
        }
    }

    pub(super) fn hears(&self) {
        self.heard.store(true, Relaxed);
    }

    pub(super) fn sent(&self) {
        self.stalled.store(false, Relaxed);
        self.active.store(true, Relaxed);
    }

    pub(super) fn stalls(&self) {
        self.stalled.store(true, Relaxed);
    }

    pub(super) fn has_paid(&self) {
        self.owed.store(false, Relaxed);
    }

    /// Whether what goes out now is no answer to any request.
    pub(super) fn is_out_of_turn(&self) -> bool {
        // What is owed was said before its request was done.
        self.busy.load(Acquire) == 0 && !self.owed.load(Relaxed)
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

    /// From now on this wakes the task that serves it.
    pub(super) fn woken_by(&self, waker: &Waker) {
        *lock(&self.waker) = Some(waker.clone());
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    /// Lets what is under way end, and takes no further request.
    pub(super) fn close(&self) {
        self.closing.store(true, Relaxed);
        self.wake();
    }

    /// Ends the idle period: the connection is overdue unless an answer went out meanwhile.
    pub(super) fn time_is_up(&self) {
        if !self.active.swap(false, Relaxed) {
            self.overdue.store(true, Relaxed);
            self.wake();
        }
    }

    /// Ends it where its time is up and nothing goes on, and says whether it does. Its own task asks
    /// this.
    pub(super) fn ends_for_idleness(&self) -> bool {
        if !self.overdue.swap(false, Relaxed) || self.active.load(Relaxed) {
            return false;
        }
        if self.stalled.load(Relaxed) {
            self.end(End::Reset);
        } else if self.is_out_of_turn() {
            let in_a_head = self.heard.load(Relaxed) && !self.lingers();
            self.end(if in_a_head { End::HeadTooSlow } else { End::Close });
        } else {
            return false;
        }
        true
    }

    /// What was stored before is seen by the task that is woken, or that has yet to say by what it
    /// is: both go through the lock.
    fn wake(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }
}

impl Busy {
    pub(super) fn new(line: Arc<Line>) -> Self {
        line.busy.fetch_add(1, Relaxed);
        Self(line)
    }

    pub(super) fn line(&self) -> &Line {
        &self.0
    }

    /// The answer is given to HTTP, and goes out later.
    pub(super) fn owes(&self) {
        self.0.owed.store(true, Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Release);
        self.0.heard.store(false, Relaxed);
    }
}
