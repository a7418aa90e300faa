//! Leases events ahead of the requests that send them, so that no request waits for the outbox.
//!
//! From an outbox that answers at once, the engine leases as many events as may be in flight. The
//! number doubles whenever the engine ran out of events before a slow outbox answered, and halves
//! when the answer came early. So it follows the number of events sent during one call, without a
//! clock.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use super::call_failures::CallFailures;
use crate::outbox::{Admission, EventId, Lease, OutboxError, Ruling, Slot};
use crate::telemetry::spans;

/// The limit of prefetched events, in multiples of the concurrency. Those events are in memory, and
/// after a crash they are sent again.
const MAX_FACTOR: usize = 8;

/// A leased event.
pub(super) struct Job {
    pub(super) lease: Lease,
    pub(super) slot: Slot,
    /// Whether it failed before.
    pub(super) has_failed: bool,
    leased_at: Instant,
    pub(super) span: Span,
}

impl Job {
    pub(super) fn new(lease: Lease, slot: Slot, has_failed: bool, now: Instant) -> Self {
        let span = spans::process(lease.id, lease.attempts);
        Job { lease, slot, has_failed, leased_at: now, span }
    }

    /// Returns how long ago the event was leased.
    pub(super) fn leased_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.leased_at)
    }

    /// Returns how long ago the event was accepted, by the outbox's clock.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.lease.age.saturating_add(self.leased_for(now))
    }
}

#[cfg(test)]
impl Job {
    /// Makes an event for tests.
    pub(super) fn tested(id: u64, contact: intercom_core::Contact, attempts: u32) -> Self {
        use intercom_core::{DataEvent, DynamicEvent, Timestamp};
        let event = DynamicEvent::new("tested").unwrap();
        let time = Timestamp::from_unix_seconds(1_700_000_000);
        let lease = Lease {
            id: EventId::new(id),
            event: DataEvent::new(&event, contact, time).unwrap(),
            stage: crate::outbox::Stage::New,
            attempts,
            last_failure: None,
            age: Duration::ZERO,
        };
        let slot = Slot::of(&lease.event);
        Job::new(lease, slot, attempts > 0, Instant::now())
    }
}

/// A call of the outbox in progress.
#[derive(Clone, Copy)]
enum Call {
    Lease { limit: usize, since: Instant },
    Admit,
}

/// The effects of stored admissions.
#[derive(Default)]
pub(super) struct Admitted {
    /// The number of events that they ended.
    pub(super) ended: u64,
    /// The delays of the deferred events.
    pub(super) due: Vec<Duration>,
    /// The rules that dropped events.
    pub(super) drops: Vec<Arc<str>>,
    pub(super) withheld: u64,
    pub(super) derived: u64,
    /// Events that are not sent, because an operator removed them.
    pub(super) removed: Vec<EventId>,
}

/// The next call of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Lease(usize),
    Admit,
}

pub(super) struct Prefetch {
    concurrency: usize,
    size: usize,
    /// Events to send next that never failed.
    ready: VecDeque<Job>,
    /// Events to send next that failed before.
    again: VecDeque<Job>,
    /// Events that wait for their admissions to be stored, and those admissions.
    admitting: Vec<Job>,
    admissions: Vec<Admission>,
    /// The rules that drop events among them.
    drops: Vec<(EventId, Arc<str>)>,
    call: Option<Call>,
    /// Whether the last lease reached its limit.
    has_more: bool,
    /// Whether a settlement was late, so that another engine may deliver.
    doubts_turn: bool,
    /// Until when requests may begin. `None` without a limit.
    valid_until: Option<Instant>,
    failures: CallFailures,
}

impl Prefetch {
    pub(super) fn new(concurrency: usize) -> Self {
        Prefetch {
            concurrency,
            size: concurrency,
            ready: VecDeque::new(),
            again: VecDeque::new(),
            admitting: Vec::new(),
            admissions: Vec::new(),
            drops: Vec::new(),
            call: None,
            has_more: false,
            doubts_turn: false,
            valid_until: None,
            failures: CallFailures::with("lease events"),
        }
    }

    pub(super) fn failures(&self) -> &CallFailures {
        &self.failures
    }

    /// Returns how many events are ready that never failed.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Returns how many events are ready that failed before.
    pub(super) fn again(&self) -> usize {
        self.again.len()
    }

    /// Returns whether no event is here, and no lease is in progress.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.again.is_empty() && self.admissions.is_empty()
    }

    /// Returns whether the last lease reached its limit.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Takes the next event that never failed.
    pub(super) fn next(&mut self) -> Option<Job> {
        self.ready.pop_front()
    }

    /// Takes the next event that failed before.
    pub(super) fn next_again(&mut self) -> Option<Job> {
        self.again.pop_front()
    }

    /// Takes the events that failed before, beyond the number that may be in flight.
    pub(super) fn take_excess(&mut self) -> VecDeque<Job> {
        self.again.split_off(self.again.len().min(self.concurrency))
    }

    /// Adds events that are admitted.
    pub(super) fn push(&mut self, jobs: impl IntoIterator<Item = Job>) {
        for job in jobs {
            match job.has_failed {
                true => self.again.push_back(job),
                false => self.ready.push_back(job),
            }
        }
    }

    /// Adds an event that waited for the end of an older lease.
    pub(super) fn resume(&mut self, job: Job) {
        match self.admissions.iter().any(|admission| admission.id == job.lease.id) {
            true => self.admitting.push(job),
            false => self.push([job]),
        }
    }

    /// Holds events back until their admissions are stored.
    pub(super) fn hold(&mut self, jobs: Vec<Job>, admissions: Vec<Admission>) {
        self.admitting = jobs;
        self.admissions = admissions;
    }

    /// Records the rule that drops an event, until its admission is stored.
    pub(super) fn note_drop(&mut self, id: EventId, rule: Arc<str>) {
        self.drops.push((id, rule));
    }

    /// Drops all events, and the call in progress.
    pub(super) fn clear(&mut self) {
        *self = Prefetch::new(self.concurrency);
    }

    /// Returns whether the turn has not ended by itself.
    pub(super) fn is_valid(&self, now: Instant) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }

    pub(super) fn valid_until(&self) -> Option<Instant> {
        self.valid_until
    }

    /// Returns whether a lease waits because no event is due.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.call, Some(Call::Lease { limit: 1.., .. }))
    }

    pub(super) fn set_valid(&mut self, until: Option<Instant>) {
        self.valid_until = until;
        self.doubts_turn = false;
    }

    /// Makes the next call check whether this engine still delivers.
    pub(super) fn doubt_turn(&mut self) {
        self.doubts_turn = true;
    }

    /// Returns how many events to lease when `room` more requests may be in flight.
    pub(super) fn wanted(&self, room: usize) -> usize {
        let ready = self.ready.len();
        match ready == 0 && room > 0 || ready < self.low() {
            true => room.saturating_add(self.size).saturating_sub(ready),
            false => 0,
        }
    }

    /// Returns the next call of the outbox. `wanted` is `None` on standby. Then the call only waits
    /// for the turn.
    pub(super) fn ask(&mut self, wanted: Option<usize>, now: Instant) -> Option<Ask> {
        if self.failures.is_backing_off(now) {
            return None;
        }
        let (ask, call) = match (self.call, wanted) {
            (Some(Call::Admit), _) => return None,
            (None, Some(_)) if !self.admissions.is_empty() => (Ask::Admit, Call::Admit),
            // A call that only waits for the turn gives way to a lease of events.
            (Some(Call::Lease { limit: 0, .. }), Some(limit)) if limit > 0 => {
                (Ask::Lease(limit), Call::Lease { limit, since: now })
            }
            (Some(Call::Lease { .. }), _) => return None,
            (None, Some(0)) if !self.doubts_turn && self.valid_until.is_none() => return None,
            (None, limit) => {
                let limit = limit.unwrap_or(0);
                (Ask::Lease(limit), Call::Lease { limit, since: now })
            }
        };
        self.call = Some(call);
        Some(ask)
    }

    /// Returns the admissions to store.
    pub(super) fn admissions(&self) -> Vec<Admission> {
        self.admissions.clone()
    }

    /// Records the number of events that the outbox leased.
    pub(super) fn answered(&mut self, events: usize, now: Instant) {
        let Some(Call::Lease { limit, since }) = self.call.take() else { return };
        let had_more = std::mem::replace(&mut self.has_more, limit > 0 && events == limit);
        // The engine never waits for an outbox that answers at once. An outbox without further
        // events could not have answered sooner.
        if since == now || !had_more || !self.has_more {
            return;
        }
        if self.ready.is_empty() {
            let limit = self.concurrency.saturating_mul(MAX_FACTOR);
            self.size = self.size.saturating_mul(2).min(limit);
        } else if self.ready.len() > self.low() / 2 {
            self.size = (self.size / 2).max(self.concurrency);
        }
    }

    /// Records that the outbox answered after a failure.
    pub(super) fn succeeded(&mut self) {
        self.failures.succeeded();
    }

    /// Records that a call has ended without events.
    fn ended(&mut self) {
        self.failures.succeeded();
        self.call = None;
    }

    /// Records stored admissions, except those of the late events.
    pub(super) fn admitted(&mut self, late: &[EventId]) -> Admitted {
        self.ended();
        let mut admitted = Admitted::default();
        let stored = mem::take(&mut self.admissions).into_iter();
        for admission in stored.filter(|one| !late.contains(&one.id)) {
            admitted.derived += admission.derived.len() as u64;
            match admission.ruling {
                Ruling::Withhold => {
                    admitted.ended += 1;
                    admitted.withheld += 1;
                }
                Ruling::Drop => admitted.ended += 1,
                Ruling::Defer { after } => admitted.due.push(after),
                Ruling::Keep { .. } | Ruling::Replace { .. } => {}
            }
        }
        let drops = mem::take(&mut self.drops).into_iter();
        admitted.drops = drops.filter(|(id, _)| !late.contains(id)).map(|(_, rule)| rule).collect();
        let jobs = mem::take(&mut self.admitting).into_iter();
        let (removed, jobs): (Vec<_>, Vec<_>) = jobs.partition(|job| late.contains(&job.lease.id));
        admitted.removed = removed.iter().map(|job| job.lease.id).collect();
        self.push(jobs);
        admitted
    }

    /// Drops an event that would be sent next. Returns whether it was there.
    pub(super) fn remove(&mut self, id: EventId) -> bool {
        [&mut self.ready, &mut self.again].into_iter().any(|jobs| {
            let at = jobs.iter().position(|job| job.lease.id == id);
            at.and_then(|at| jobs.remove(at)).is_some()
        })
    }

    pub(super) fn failed(&mut self, error: &OutboxError, now: Instant) {
        self.call = None;
        self.failures.failed(error, now);
    }

    /// Below this number of ready events, the engine leases more while all requests are in flight.
    fn low(&self) -> usize {
        (self.size - self.concurrency) / 2
    }
}

#[cfg(test)]
mod tests {
    use intercom_core::Contact;

    use super::*;

    fn jobs(number: usize) -> Vec<Job> {
        (0..number).map(|_| Job::tested(0, Contact::user_id(1), 0)).collect()
    }

    /// A slow outbox answers with the full number while this many events are ready.
    fn answered(prefetch: &mut Prefetch, ready: usize) {
        let now = Instant::now();
        prefetch.ready.clear();
        prefetch.push(jobs(ready));
        assert_eq!(prefetch.ask(Some(8), now), Some(Ask::Lease(8)));
        prefetch.answered(8, now + Duration::from_millis(1));
    }

    fn wanted(prefetch: &mut Prefetch, room: usize, ready: usize) -> usize {
        prefetch.ready.clear();
        prefetch.push(jobs(ready));
        prefetch.wanted(room)
    }

    #[tokio::test(start_paused = true)]
    async fn an_outbox_that_answers_at_once_is_asked_when_nothing_is_ready() {
        let mut prefetch = Prefetch::new(4);
        assert_eq!([wanted(&mut prefetch, 4, 0), wanted(&mut prefetch, 1, 0)], [8, 5]);
        assert_eq!([wanted(&mut prefetch, 0, 0), wanted(&mut prefetch, 1, 1)], [0, 0]);
        for _ in 0..3 {
            prefetch.ready.clear();
            assert_eq!(prefetch.ask(Some(8), Instant::now()), Some(Ask::Lease(8)));
            prefetch.answered(8, Instant::now());
        }
        assert_eq!(wanted(&mut prefetch, 4, 0), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_outbox_is_asked_earlier_and_for_more_up_to_a_bound() {
        let mut prefetch = Prefetch::new(4);
        // The first answer may have come late because nothing was due.
        answered(&mut prefetch, 0);
        assert_eq!(wanted(&mut prefetch, 4, 0), 8);
        answered(&mut prefetch, 0);
        assert_eq!([wanted(&mut prefetch, 0, 1), wanted(&mut prefetch, 0, 2)], [7, 0]);
        for _ in 0..10 {
            answered(&mut prefetch, 0);
        }
        let wanted = [0, 13, 14].map(|ready| wanted(&mut prefetch, 0, ready));
        assert_eq!(wanted, [32, 19, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outbox_that_is_early_again_is_asked_for_less() {
        let mut prefetch = Prefetch::new(4);
        for _ in 0..3 {
            answered(&mut prefetch, 0);
        }
        // Just in time.
        answered(&mut prefetch, 2);
        assert_eq!(wanted(&mut prefetch, 1, 0), 17);
        answered(&mut prefetch, 5);
        assert_eq!(wanted(&mut prefetch, 1, 0), 9);
        answered(&mut prefetch, 2);
        answered(&mut prefetch, 1);
        assert_eq!(wanted(&mut prefetch, 1, 0), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_only_waits_for_a_turn_gives_way_to_one_for_events() {
        let (mut prefetch, now) = (Prefetch::new(4), Instant::now());
        assert_eq!(prefetch.ask(None, now), Some(Ask::Lease(0)));
        assert_eq!(prefetch.ask(None, now), None);
        assert_eq!(prefetch.ask(Some(0), now), None);
        assert_eq!(prefetch.ask(Some(5), now), Some(Ask::Lease(5)));
        assert_eq!(prefetch.ask(Some(9), now), None);
        assert!(prefetch.is_waiting());
    }

    #[tokio::test(start_paused = true)]
    async fn admissions_are_stored_before_more_is_leased() {
        let (mut prefetch, now) = (Prefetch::new(4), Instant::now());
        prefetch.hold(jobs(2), vec![Admission::kept(EventId::new(0), true)]);
        assert_eq!((prefetch.ready(), prefetch.is_empty()), (0, false));
        assert_eq!(prefetch.ask(Some(5), now), Some(Ask::Admit));
        assert_eq!(prefetch.ask(Some(5), now), None);
        prefetch.failed(&OutboxError::new("the disk is full"), now);
        assert_eq!(prefetch.ask(Some(5), now), None);
        let later = now + Duration::from_secs(2);
        assert_eq!(prefetch.ask(Some(5), later), Some(Ask::Admit));
        prefetch.admitted(&[]);
        assert_eq!((prefetch.ready(), prefetch.admissions().len()), (2, 0));
    }
}
