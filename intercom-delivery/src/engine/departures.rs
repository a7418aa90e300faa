//! Requests that begin: as many as may, for the events that are to be sent at all.

use std::mem;
use std::time::Duration;

use intercom_core::{ErrorKind, SendError};
use tokio::time::Instant;

use super::attempt::{Asked, Attempt, Outcome, Subject};
use super::gate::Permit;
use super::names::Hearing;
use super::{Engine, FAREWELL};
use crate::outbox::{DeathReason, Failure, Lease};
use crate::time::later;

/// How many requests may be started.
struct Permits {
    /// So many more may be under way.
    room: usize,
    /// So many may go now, if there were room.
    permits: usize,
}

impl Engine<'_> {
    /// Starts the requests that may go, and says how many events to lease: for requests that could go besides, and,
    /// where nothing holds requests back, for those that come after them.
    pub(super) fn start(&mut self, now: Instant) -> usize {
        // What was accepted last may not have woken anybody yet.
        if self.deadline.is_some() && !self.sealed && self.shared.intake.is_sealed() {
            self.sealed = true;
            self.more = true;
        }
        if self.next_due.is_some_and(|due| due <= now) {
            self.next_due = None;
            self.more = true;
        }
        for lease in self.contacts.overdue(now) {
            self.put_back(&lease, Duration::ZERO, lease.attempts, None);
        }
        self.blocked_until = None;
        while let Some(Permits { room, permits }) = self.permits(now) {
            if room == 0 || permits == 0 {
                return self.wanted(room);
            }
            // A closed line is tried with an event, as long as there is one: that no contact can be created says nothing
            // of events.
            let event_first = self.line.closed().is_some() && (self.more || !self.ready.is_empty());
            if !event_first && let Some(contact) = self.contacts.next_to_create(now) {
                self.begin(Subject::Contact(contact), now);
                continue;
            }
            let Some((since, lease)) = self.ready.pop_front() else {
                return self.wanted(room);
            };
            if now > later(since, self.settings.attempt_timeout) {
                // The requests before it took longer than it seemed. Its lease might end before it is settled.
                self.put_back(&lease, Duration::ZERO, lease.attempts, None);
            } else if let Some(lease) = self.admit(lease, now) {
                self.begin(Subject::Event(lease), now);
            }
        }
        // Nothing goes for a while, which may be longer than a lease.
        for (_, lease) in mem::take(&mut self.ready) {
            self.put_back(&lease, Duration::ZERO, lease.attempts, None);
        }
        0
    }

    /// How many events to lease, when so many more requests may be under way.
    fn wanted(&self, room: usize) -> usize {
        let ready = self.ready.len();
        self.permitted.saturating_sub(ready).min(self.ahead.wanted(room, ready))
    }

    /// How many requests may be started. `None` stands for: none, and not because enough are under way.
    fn permits(&mut self, now: Instant) -> Option<Permits> {
        let in_flight = self.in_flight.len();
        let room = match self.line.closed() {
            Some(closed) if now < closed.next_try => return None,
            Some(_) if self.probing => 0,
            Some(_) => self.settings.concurrency.saturating_sub(in_flight).min(1),
            None if self.too_many_unsettled() => 0,
            None => self.line.allowed().saturating_sub(in_flight),
        };
        if !self.line.is_open() {
            self.permitted = 0;
        }
        if room == 0 {
            return Some(Permits { room, permits: 0 });
        }
        let backlog = || {
            let pending = self.shared.outbox.counts().pending;
            pending.saturating_sub(in_flight as u64)
        };
        match self.gate.ask(now, in_flight, backlog, || self.rng.f64()) {
            Permit::Go(permits) => {
                let permits = if self.line.is_open() { permits } else { permits.min(room) };
                self.permitted = permits;
                Some(Permits { room, permits })
            }
            Permit::At(time) => {
                self.permitted = 0;
                self.blocked_until = Some(time);
                self.changed |= self.gate.shut_until() != self.told_shut;
                None
            }
        }
    }

    fn begin(&mut self, subject: Subject, now: Instant) {
        let probe = self.line.closed().is_some();
        self.probing |= probe;
        self.gate.pass(now, self.in_flight.len());
        self.permitted = self.permitted.saturating_sub(1);
        let asked = Asked { subject, probe, epoch: self.epoch, begun: now };
        self.look_for_late.get_or_insert(later(now, self.settings.attempt_timeout));
        self.in_flight.begin(Attempt::new(&self.shared.transport, asked));
    }

    /// Gives up the requests that take too long. They are looked for about once in the time that one may take, so
    /// that a request needs no timer of its own.
    pub(super) fn give_up_late(&mut self, now: Instant) {
        if self.look_for_late.is_none_or(|time| now < time) {
            return;
        }
        let within = self.settings.attempt_timeout;
        if let Some(time) = now.checked_sub(within) {
            for asked in self.in_flight.give_up_since(time) {
                let error = SendError::new(ErrorKind::Timeout)
                    .with_detail(format!("the transport did not end within {within:?}"));
                self.ended((asked, Outcome::Failed(error)), now);
            }
        }
        self.look_for_late = self.in_flight.oldest().map(|begun| later(begun, within));
    }

    /// Whether a leased event is sent at all.
    fn admit(&mut self, lease: Lease, now: Instant) -> Option<Lease> {
        if self.settings.retry.is_too_old(lease.age) {
            let failure = lease.last_failure.as_deref().cloned();
            let failure =
                failure.unwrap_or_else(|| Failure::new("the event became older than it may"));
            self.bury(&lease, DeathReason::AgeLimit, lease.attempts, Some(failure));
            return None;
        }
        match self.names.hear(lease.event.name(), now) {
            Hearing::Send => {}
            Hearing::Wait(after) => {
                self.put_back(&lease, after, lease.attempts, None);
                return None;
            }
            Hearing::Bury => {
                let failure = "not sent: Intercom takes no events of this name for now";
                let failure = Some(Failure::new(failure));
                self.bury(&lease, DeathReason::EventNameLimit, lease.attempts, failure);
                return None;
            }
        }
        if self.contacts.is_creating(lease.event.contact()) {
            let fate = self.contacts.park(lease, now);
            self.suffer(fate, None);
            return None;
        }
        Some(lease)
    }

    /// How long an event is leased. It may be sent, wait for its contact, and be sent again.
    pub(super) fn term(&self) -> Duration {
        self.settings.attempt_timeout.saturating_mul(3).saturating_add(FAREWELL)
    }
}
