//! What was received, bounded in memory, and the wait for more of it.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::watch;

use crate::event::ReceivedEvent;
use crate::request::{Draft, Outcome, ReceivedRequest};
use crate::sync::lock;

/// How many requests there were since the start or the last clearing, and what became of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) requests: usize,
    /// The accepted ones.
    pub(crate) events: usize,
    pub(crate) duplicates: usize,
    pub(crate) refused: usize,
    pub(crate) faulted: usize,
}

pub(crate) struct Journal {
    keep_requests: usize,
    keep_events: usize,
    kept: Mutex<Kept>,
    counts: watch::Sender<Counts>,
}

#[derive(Default)]
struct Kept {
    requests: VecDeque<ReceivedRequest>,
    events: VecDeque<ReceivedEvent>,
}

impl Journal {
    pub(crate) fn new(keep_requests: usize, keep_events: usize) -> Self {
        Self {
            keep_requests,
            keep_events,
            kept: Mutex::default(),
            counts: watch::Sender::new(Counts::default()),
        }
    }

    /// Takes a request in, and with it the event it may have brought. Order and counts are those of
    /// the moment of this call, which is before the client has its answer.
    pub(crate) fn record(&self, draft: Draft) {
        let mut kept = lock(&self.kept);
        // Counted under the lock, so that numbers and order agree.
        self.counts.send_modify(|counts| {
            counts.requests += 1;
            let outcome = draft.outcome();
            let request = draft.numbered(counts.requests);
            match outcome {
                Outcome::Accepted => counts.events += 1,
                Outcome::Duplicate => counts.duplicates += 1,
                Outcome::Refused => counts.refused += 1,
                Outcome::Faulted => counts.faulted += 1,
                Outcome::Served => {}
            }
            if outcome == Outcome::Accepted
                && let Some(event) = request.event()
            {
                push_bounded(&mut kept.events, event, self.keep_events);
            }
            push_bounded(&mut kept.requests, request, self.keep_requests);
        });
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.kept).requests.iter().cloned().collect()
    }

    pub(crate) fn events(&self) -> Vec<ReceivedEvent> {
        lock(&self.kept).events.iter().cloned().collect()
    }

    pub(crate) async fn wait_until(&self, enough: impl FnMut(&Counts) -> bool) {
        // The sender lives as long as the journal, so this cannot fail while anyone waits.
        let _ = self.counts.subscribe().wait_for(enough).await;
    }

    /// The kept requests of a higher number than this.
    pub(crate) fn requests_after(&self, number: usize) -> Vec<ReceivedRequest> {
        let kept = lock(&self.kept);
        let from = kept.requests.partition_point(|request| request.number() <= number);
        kept.requests.range(from..).cloned().collect()
    }

    pub(crate) fn clear(&self) {
        let mut kept = lock(&self.kept);
        *kept = Kept::default();
        self.counts.send_modify(|counts| *counts = Counts::default());
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, bound: usize) {
    if bound == 0 {
        return;
    }
    if queue.len() == bound {
        queue.pop_front();
    }
    queue.push_back(item);
}
