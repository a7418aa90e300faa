//! The requests under way, each in a slot that is used again when it has ended.
//!
//! What sets it apart from a `FuturesUnordered`: a request is polled as soon as it begins, while what the one before it
//! has freed is still at hand, and neither begins nor ends with an allocation.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::attempt::{Asked, Attempt, Outcome};

#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// Requests that had ended as soon as they began.
    ended: VecDeque<(Asked, Outcome)>,
    /// Slots that were woken and are polled next.
    next: Vec<usize>,
    woken: Arc<Woken>,
}

struct Slot {
    attempt: Option<Attempt>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
}

/// Wakes one slot.
struct Bell {
    slot: usize,
    rung: AtomicBool,
    woken: Arc<Woken>,
}

/// Which slots were woken, and the task that is to poll them.
#[derive(Default)]
struct Woken {
    slots: Mutex<Vec<usize>>,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let slots = &self.woken.slots;
            slots.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot);
            self.woken.task.wake();
        }
    }
}

impl Slots {
    /// How many requests are under way.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len() + self.ended.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins a request.
    pub(super) fn begin(&mut self, attempt: Attempt) {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                let slot = self.slots.len();
                let bell = Arc::new(Bell {
                    slot,
                    rung: AtomicBool::new(false),
                    woken: self.woken.clone(),
                });
                let waker = bell.clone().into();
                self.slots.push(Slot { attempt: None, bell, waker });
                slot
            }
        };
        self.slots[place].attempt = Some(attempt);
        if let Poll::Ready(ended) = self.poll_slot(place) {
            self.ended.push_back(ended);
        }
    }

    /// The next request that has ended. Pending when none has, also when none is under way.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<(Asked, Outcome)> {
        if let Some(ended) = self.ended.pop_front() {
            return Poll::Ready(ended);
        }
        // First the task, then a look at who was woken: who is woken in between wakes the task.
        self.woken.task.register(context.waker());
        loop {
            if self.next.is_empty() {
                let mut woken = self.woken.slots.lock().unwrap_or_else(PoisonError::into_inner);
                if woken.is_empty() {
                    return Poll::Pending;
                }
                std::mem::swap(&mut *woken, &mut self.next);
                // They are taken from the end, and are to go in the order in which they were woken.
                self.next.reverse();
            }
            while let Some(place) = self.next.pop() {
                if let Poll::Ready(ended) = self.poll_slot(place) {
                    return Poll::Ready(ended);
                }
            }
        }
    }

    /// Gives up the requests that began at this time or before.
    pub(super) fn give_up_since(&mut self, time: Instant) -> Vec<Asked> {
        let mut given_up = Vec::new();
        for (place, slot) in self.slots.iter_mut().enumerate() {
            let begun = slot.attempt.as_ref().and_then(Attempt::begun);
            if begun.is_some_and(|begun| begun <= time) {
                given_up.extend(slot.attempt.take().and_then(Attempt::give_up));
                self.free.push(place);
            }
        }
        given_up
    }

    /// When the oldest of them began.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.slots.iter().filter_map(|slot| slot.attempt.as_ref()?.begun()).min()
    }

    /// Gives up all of them.
    pub(super) fn give_up_all(&mut self) -> Vec<Asked> {
        let ended = self.ended.drain(..).map(|(asked, _)| asked);
        let attempts = self.slots.drain(..).filter_map(|slot| slot.attempt);
        let given_up = ended.chain(attempts.filter_map(Attempt::give_up)).collect();
        self.free.clear();
        given_up
    }

    fn poll_slot(&mut self, place: usize) -> Poll<(Asked, Outcome)> {
        let Some(Slot { attempt, bell, waker }) = self.slots.get_mut(place) else {
            return Poll::Pending;
        };
        // Who rings from now on is heard again.
        bell.rung.store(false, Ordering::Release);
        let Some(under_way) = attempt else { return Poll::Pending };
        let polled = Pin::new(under_way).poll(&mut Context::from_waker(waker));
        if polled.is_ready() {
            *attempt = None;
            self.free.push(place);
        }
        polled
    }
}
