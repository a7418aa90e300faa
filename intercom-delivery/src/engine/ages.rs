//! The ages of events, in time that this engine has measured.
//!
//! An outbox computes ages from a wall clock, which an operator may have set. The engine limits
//! each age to the time that it has measured itself. No event is older than the turn, nor than the
//! last count whose highest id is below the event's.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::outbox::{EventId, Outbox};

/// The number of counts within the maximum age.
const COUNTS: u32 = 64;

/// The shortest and the longest time between two counts.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// Bounds of the ages of events.
#[derive(Debug)]
pub(super) struct Ages {
    max_age: Duration,
    turn: Mutex<CountedTurn>,
}

#[derive(Debug)]
struct CountedTurn {
    began: Instant,
    /// The times of counts, each with the highest id at that time.
    counts: VecDeque<(Instant, Option<EventId>)>,
}

impl Ages {
    pub(super) fn new(max_age: Duration, now: Instant) -> Self {
        Ages { max_age, turn: Mutex::new(CountedTurn { began: now, counts: VecDeque::new() }) }
    }

    /// Begins a turn.
    pub(super) fn begin(&self, now: Instant) {
        *self.turn() = CountedTurn { began: now, counts: VecDeque::new() };
    }

    /// Returns the age of an event. `reported` is the outbox's.
    pub(super) fn of(&self, id: EventId, reported: Duration, now: Instant) -> Duration {
        let turn = self.turn();
        let known = turn.counts.partition_point(|(_, newest)| *newest < Some(id));
        let elapsed = |at: Instant| now.saturating_duration_since(at);
        let Some(unknown) = known.checked_sub(1) else { return reported.min(elapsed(turn.began)) };
        match reported <= elapsed(turn.counts[unknown].0) {
            true => reported,
            // The clock stepped.
            false => turn.counts.get(known).map_or(Duration::ZERO, |(at, _)| elapsed(*at)),
        }
    }

    /// Counts events, over and over. Never returns.
    pub(super) async fn count(&self, outbox: &dyn Outbox) {
        let (least, most) = INTERVAL;
        loop {
            sleep((self.max_age / COUNTS).clamp(least, most)).await;
            let asked = Instant::now();
            if let Ok(counts) = outbox.counts().await {
                self.note(counts.newest, asked);
            }
        }
    }

    fn note(&self, newest: Option<EventId>, now: Instant) {
        let mut turn = self.turn();
        if now < turn.began {
            return;
        }
        let old = |at: &Instant| now.saturating_duration_since(*at) >= self.max_age;
        while turn.counts.get(1).is_some_and(|(at, _)| old(at)) {
            turn.counts.pop_front();
        }
        turn.counts.push_back((now, newest));
    }

    fn turn(&self) -> MutexGuard<'_, CountedTurn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
