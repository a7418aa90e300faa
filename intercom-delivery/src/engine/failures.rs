//! The events that have failed, and how often while others succeeded.
//!
//! Pure: the caller passes the time.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::outbox::EventId;

/// The limit of remembered events. An event beyond it counts as failing for the first time after
/// each restart of the process, and never as poison.
const REMEMBERED: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Failures {
    events: HashMap<EventId, Failing>,
    /// The number of successful events so far.
    passed: u64,
}

#[derive(Debug)]
struct Failing {
    last: Instant,
    /// The number of successful events at its last failure.
    passed: u64,
    /// How often it failed while others succeeded, and since when.
    own: u32,
    own_since: Instant,
}

/// What a failure proves about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The event had never failed.
    First,
    /// The event had failed before.
    Again,
    /// Others succeeded since its last failure, so this failure is its own.
    Own,
}

impl Failures {
    /// Returns whether the event failed under this engine.
    pub(super) fn has_failed(&self, id: EventId) -> bool {
        !self.events.is_empty() && self.events.contains_key(&id)
    }

    /// Records a success.
    pub(super) fn passed(&mut self) {
        self.passed += 1;
    }

    /// Records a failure. `first` says whether the event never failed before, by its lease.
    pub(super) fn failed(&mut self, id: EventId, first: bool, now: Instant) -> Evidence {
        let passed = self.passed;
        if let Some(failing) = self.events.get_mut(&id) {
            let is_own = passed > failing.passed;
            if is_own && failing.own == 0 {
                // The previous failure was its own too.
                (failing.own, failing.own_since) = (1, failing.last);
            }
            failing.own = failing.own.saturating_add(u32::from(is_own));
            (failing.last, failing.passed) = (now, passed);
            return if is_own { Evidence::Own } else { Evidence::Again };
        }
        if self.events.len() < REMEMBERED {
            self.events.insert(id, Failing { last: now, passed, own: 0, own_since: now });
        }
        if first { Evidence::First } else { Evidence::Again }
    }

    /// Returns how often an event failed while others succeeded, and for how long.
    pub(super) fn own(&self, id: EventId, now: Instant) -> (u32, Duration) {
        match self.events.get(&id).filter(|failing| failing.own > 0) {
            Some(failing) => (failing.own, now.saturating_duration_since(failing.own_since)),
            None => (0, Duration::ZERO),
        }
    }

    /// Drops a settled event.
    pub(super) fn forget(&mut self, id: EventId) {
        if !self.events.is_empty() {
            self.events.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_failure_is_an_events_own_when_others_got_through_since_its_last() {
        let (mut failures, now, id) = (Failures::default(), Instant::now(), EventId::new(7));
        assert!(!failures.has_failed(id));
        failures.passed();
        assert_eq!(failures.failed(id, true, now), Evidence::First);
        assert!(failures.has_failed(id));
        assert_eq!(failures.failed(id, false, now + SECOND), Evidence::Again);
        assert_eq!(failures.own(id, now + SECOND), (0, Duration::ZERO));
        failures.passed();
        // The previous failure was its own too: others had succeeded before and after it.
        assert_eq!(failures.failed(id, false, now + 3 * SECOND), Evidence::Own);
        assert_eq!(failures.own(id, now + 5 * SECOND), (2, 4 * SECOND));
        // In an outage no failure counts.
        assert_eq!(failures.failed(id, false, now + 4 * SECOND), Evidence::Again);
        assert_eq!(failures.own(id, now + 5 * SECOND), (2, 4 * SECOND));
        failures.forget(id);
        assert!(!failures.has_failed(id));
    }

    #[test]
    fn an_event_that_failed_in_an_earlier_run_has_failed_before() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        assert_eq!(failures.failed(EventId::new(1), false, now), Evidence::Again);
    }

    #[test]
    fn the_number_of_remembered_events_is_bounded() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        for id in 0..=REMEMBERED as u64 {
            assert_eq!(failures.failed(EventId::new(id), true, now), Evidence::First);
        }
        assert!(!failures.has_failed(EventId::new(REMEMBERED as u64)));
        assert_eq!(failures.events.len(), REMEMBERED);
    }
}
