//! Requests that have ended: what is learned from them, and what becomes of their events.

use std::time::{Duration, SystemTime};

use intercom_core::{Contact, ContactCreation, ErrorKind, SendError};
use tokio::time::Instant;

use super::Engine;
use super::attempt::{Asked, Outcome, Subject};
use super::contacts::{Fate, Set, Setback};
use super::line::Change;
use crate::outbox::{DeadLetter, DeathReason, EventId, Failure, Lease};
use crate::retry::{self, Decision, Tried};
use crate::telemetry;

/// What must be known of a request to learn from its end.
#[derive(Clone, Copy)]
struct Request {
    /// Whether it was to try if the line is open again.
    probe: bool,
    /// Whether the transport was changed since it began.
    stale: bool,
    /// Whether it was to create a contact.
    creation: bool,
    begun: Instant,
}

impl Engine<'_> {
    pub(super) fn ended(&mut self, (asked, outcome): (Asked, Outcome), now: Instant) {
        let took = now.saturating_duration_since(asked.begun);
        // What began before the transport was changed says nothing of how it is now.
        let stale = asked.epoch < self.epoch;
        let probe = asked.probe && !stale;
        if probe {
            self.probing = false;
        }
        let creation = matches!(asked.subject, Subject::Contact(_));
        let begun = asked.begun;
        self.learn(&outcome, Request { probe, stale, creation, begun }, now);
        match asked.subject {
            Subject::Event(lease) => self.conclude(lease, outcome, took, now),
            Subject::Contact(contact) => self.contact_asked(contact, outcome, now),
        }
    }

    /// What an answer says about the limit, and about the way to Intercom.
    fn learn(&mut self, outcome: &Outcome, request: Request, now: Instant) {
        let Request { probe, stale, creation, begun } = request;
        let roll = self.rng.f64();
        let error = match outcome {
            Outcome::Taken(receipt) => {
                self.gate.answered(now, receipt.rate_limit());
                self.changed |= receipt.rate_limit().is_some();
                let change = self.line.works(begun);
                return self.line_changed(change, None);
            }
            Outcome::Contact(_) => {
                self.gate.answered(now, None);
                let change = self.line.works(begun);
                return self.line_changed(change, None);
            }
            Outcome::Panicked => {
                self.panicked("the transport");
                self.gate.unanswered();
                let change = self.line.failed(now, probe, roll);
                return self.line_changed(change, None);
            }
            Outcome::Failed(error) => error,
        };
        self.changed |= error.rate_limit().is_some();
        let change = match error.kind() {
            ErrorKind::RateLimited => {
                let paused = self.gate.closed_until().is_some();
                self.gate.refused(now, error, roll);
                if let (false, Some(until)) = (paused, self.gate.closed_until()) {
                    telemetry::paused(until - now);
                }
                self.changed = true;
                self.line.lives(begun)
            }
            _ if error.is_retryable() => {
                match error.status() {
                    Some(_) => self.gate.answered(now, error.rate_limit()),
                    None => self.gate.unanswered(),
                }
                if let Some(wait) = error.retry_after() {
                    self.gate.close(now, wait, roll);
                    self.changed = true;
                }
                // That contacts cannot be created says nothing of events.
                match creation && !probe {
                    true => None,
                    false => self.line.failed(now, probe, roll),
                }
            }
            _ => {
                self.gate.answered(now, error.rate_limit());
                // Who may not create contacts may still send events.
                let of_creation = creation && error.kind() != ErrorKind::Unauthorized;
                match error.needs_operator() {
                    true if stale || of_creation => None,
                    true => self.line.stop(now, probe, roll),
                    // Without a status nobody was asked.
                    false if error.status().is_some() => self.line.works(begun),
                    false => None,
                }
            }
        };
        self.line_changed(change, Some(error));
    }

    /// A panic was contained.
    pub(super) fn panicked(&self, what: &'static str) {
        self.shared.intake.tally.panics.add(1);
        telemetry::panicked(what);
    }

    fn line_changed(&mut self, change: Option<Change>, error: Option<&SendError>) {
        let Some(change) = change else { return };
        self.changed = true;
        if change == Change::Opened {
            return telemetry::opened();
        }
        self.trouble = match error {
            Some(error) => (Some(error.kind()), error.to_string()),
            None => (None, "the transport panicked".to_owned()),
        };
        match change {
            Change::Outage => telemetry::outage(&self.trouble.1),
            Change::Stopped => telemetry::stopped(&self.trouble.1),
            Change::StillClosed | Change::Opened => {}
        }
    }

    /// Decides what becomes of an event that was sent.
    fn conclude(&mut self, lease: Lease, outcome: Outcome, took: Duration, now: Instant) {
        let panics = self.panics.get(&lease.id).copied().unwrap_or_default();
        let age = lease.age.saturating_add(took);
        let tried = Tried { attempts: lease.attempts, panics, age };
        let outcome = match outcome {
            Outcome::Failed(error) => {
                Outcome::Failed(error.with_event(lease.event.event_name().clone()))
            }
            outcome => outcome,
        };
        let (label, decision) = match &outcome {
            Outcome::Taken(_) | Outcome::Contact(_) => ("delivered", Decision::Done),
            Outcome::Failed(error) => {
                let roll = self.rng.f64();
                let outcome = retry::Outcome::Failed(error);
                let decision = self.settings.retry.decide(outcome, tried, roll);
                (telemetry::outcome(error.kind()), decision)
            }
            Outcome::Panicked => {
                let roll = self.rng.f64();
                ("panicked", self.settings.retry.decide(retry::Outcome::Panicked, tried, roll))
            }
        };
        telemetry::attempt(label, took);
        let failure = || match &outcome {
            Outcome::Failed(error) => Some(Failure::from(error)),
            _ => Some(Failure::new("the transport panicked")),
        };
        match decision {
            Decision::Done => {
                self.names.taken(lease.event.name());
                self.contacts.known(lease.event.contact());
                self.forget(lease.id);
                self.batch.acknowledge(&lease, age);
            }
            Decision::Retry { after, attempts } => {
                if matches!(outcome, Outcome::Panicked) {
                    self.panics.insert(lease.id, panics + 1);
                }
                // What holds everything back need not hold this one back besides: where the line is closed any event will
                // do to try it, and where the gate is, none goes.
                let held = self.line.closed().is_some() || self.gate.closed_until().is_some();
                let after = if held { Duration::ZERO } else { after };
                self.put_back(&lease, after, attempts, failure());
            }
            Decision::Bury(reason) => {
                let failure = failure();
                if reason == DeathReason::EventNameLimit {
                    let message = failure.as_ref().map_or("", |failure| &failure.message);
                    if self.names.silence(lease.event.name(), now) {
                        telemetry::name_silenced(lease.event.name(), message);
                    }
                }
                self.bury(&lease, reason, tried.attempts.saturating_add(1), failure);
            }
            Decision::UnknownContact => {
                let roll = self.rng.f64();
                let fate = self.contacts.unknown(lease, &self.settings.retry, now, roll);
                self.suffer(fate, failure());
            }
        }
    }

    /// Does to an event what its contact brings with it.
    pub(super) fn suffer(&mut self, fate: Fate, failure: Option<Failure>) {
        match fate {
            Fate::Parked => {}
            Fate::Retry(lease, after, spends) => {
                let attempts = lease.attempts.saturating_add(u32::from(spends));
                self.put_back(&lease, after, attempts, failure);
            }
            Fate::Bury(lease) => {
                let attempts = lease.attempts.saturating_add(1);
                self.bury(&lease, DeathReason::UnknownContact, attempts, failure);
            }
        }
    }

    /// Goes on with the events of a contact that was to be created.
    fn contact_asked(&mut self, contact: Contact, outcome: Outcome, now: Instant) {
        let (end, failure) = match &outcome {
            Outcome::Contact(ContactCreation::Archived) => {
                let failure = "the contact is archived, and Intercom takes no events for it; \
                               unarchive it, then redrive them";
                (Err(DeathReason::ArchivedContact), Failure::new(failure))
            }
            Outcome::Contact(_) | Outcome::Taken(_) => {
                self.creation_works();
                // They are leased already. More than can be sent soon would outlive that.
                let mut leases = self.contacts.created(contact, now).into_iter();
                let room = self.settings.concurrency.saturating_sub(self.ready.len());
                self.ready.extend(leases.by_ref().take(room).map(|lease| (now, lease)));
                for lease in leases {
                    self.put_back(&lease, Duration::ZERO, lease.attempts, None);
                }
                return;
            }
            Outcome::Panicked => {
                (Ok(Setback::Panicked), Failure::new("the transport panicked over its contact"))
            }
            Outcome::Failed(error) => {
                let end = match error.kind() {
                    ErrorKind::Unsupported => Err(DeathReason::UnknownContact),
                    ErrorKind::AmbiguousContact => Err(DeathReason::AmbiguousContact),
                    ErrorKind::RateLimited | ErrorKind::Unauthorized => Ok(Setback::Held),
                    _ if error.is_permanent() => Err(DeathReason::ContactNotCreated),
                    _ if error.is_retryable() => Ok(Setback::Failed),
                    _ => Ok(Setback::Refused),
                };
                (end, Failure::from(error))
            }
        };
        let reason = match end {
            Err(reason) => {
                self.creation_works();
                reason
            }
            Ok(setback) => {
                let roll = self.rng.f64();
                let retry = &self.settings.retry;
                let Set { given_up, news } =
                    self.contacts.set_back(contact.clone(), setback, retry, now, roll);
                if setback == Setback::Refused {
                    if news {
                        telemetry::creation_refused(&failure.message);
                    }
                    self.creation_trouble = Some(failure.message);
                    self.changed = true;
                    return;
                }
                match given_up {
                    Some(reason) => reason,
                    None => return,
                }
            }
        };
        for lease in self.contacts.not_created(&contact) {
            let attempts = lease.attempts.saturating_add(1);
            self.bury(&lease, reason, attempts, Some(failure.clone()));
        }
    }

    /// Intercom lets us create contacts.
    fn creation_works(&mut self) {
        self.changed |= self.creation_trouble.take().is_some();
    }

    /// An event has left, and nothing more needs be known of it.
    pub(super) fn forget(&mut self, id: EventId) {
        self.contacts.forget(id);
        if !self.panics.is_empty() {
            self.panics.remove(&id);
        }
    }

    pub(super) fn put_back(
        &mut self,
        lease: &Lease,
        after: Duration,
        attempts: u32,
        failure: Option<Failure>,
    ) {
        if let Some(failure) = &failure {
            telemetry::retried(lease.event.name(), attempts, after, &failure.message);
        }
        self.batch.put_back(lease, after, attempts, failure);
    }

    pub(super) fn bury(
        &mut self,
        lease: &Lease,
        reason: DeathReason,
        attempts: u32,
        failure: Option<Failure>,
    ) {
        self.forget(lease.id);
        let letter = DeadLetter {
            id: lease.id,
            event: lease.event.clone(),
            reason,
            failure,
            attempts,
            died_at: SystemTime::now(),
        };
        self.batch.bury(lease, letter);
    }
}
