//! What handles ask of the engine and are told of it, and how it ends.

use std::mem;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::attempt::Subject;
use super::books::Trouble;
use super::{Engine, FAREWELL};
use crate::outbox::{EventId, Outbox, OutboxError};
use crate::shared::{Command, Line};
use crate::telemetry;
use crate::time::later;

/// How often it is looked at what others may have done in the same store, while somebody waits for that: room that
/// they made, events that they delivered.
const LOOK: Duration = Duration::from_secs(1);

impl Engine<'_> {
    pub(super) fn obey(&mut self, command: Option<Command>, now: Instant) {
        match command {
            Some(Command::Flush { newest, reply }) => self.flushes.push((newest, reply)),
            Some(Command::Shutdown { deadline, reply }) => {
                self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
                self.shutdowns.push(reply);
                self.more = true;
            }
            Some(Command::Resume) => self.resume(now),
            Some(Command::Stop) | None => self.stop = true,
        }
    }

    /// Somebody may have mended what was wrong.
    pub(super) fn resume(&mut self, now: Instant) {
        // Requests under way began before that.
        self.epoch += 1;
        self.probing = false;
        self.line.resume(now);
        self.gate.resume();
        self.contacts.resume();
        self.names.resume();
        self.changed = true;
    }

    /// Tells what has changed.
    pub(super) fn tell(&mut self, now: Instant) {
        self.shared.in_flight.store(self.in_flight.len(), Ordering::Relaxed);
        if mem::take(&mut self.changed) {
            self.publish();
        }
        if !self.flushes.is_empty() {
            let counts = self.shared.outbox.counts();
            let done = |(newest, _): &mut (EventId, _)| {
                counts.oldest_pending.is_none_or(|oldest| oldest > *newest)
            };
            for (_, reply) in self.flushes.extract_if(.., done) {
                // Who asked may have stopped waiting.
                let _ = reply.send(counts.into());
            }
        }
        if now >= self.next_look {
            self.next_look = later(now, LOOK);
            self.shared.intake.made_room();
        }
        telemetry::pending(&*self.shared.outbox);
        if now >= self.next_ledger {
            self.next_ledger = later(now, self.settings.ledger_interval);
            self.tell_ledger();
        }
    }

    fn publish(&mut self) {
        self.told_shut = self.gate.shut_until();
        let mut health = self.shared.health();
        health.line = match (self.line.closed(), self.gate.shut_until()) {
            (Some(closed), _) => {
                let (kind, message) = self.trouble.clone();
                Line::Closed { closed: closed.clone(), kind, message }
            }
            (None, Some(until)) => Line::Paused(until),
            (None, None) => Line::Open,
        };
        health.rate_limit = self.gate.told();
        let trouble = self.outbox_troubles.iter().flatten().next();
        health.outbox = trouble.map(|trouble| trouble.message.clone());
        health.contact_creation.clone_from(&self.creation_trouble);
    }

    /// Logs the ledger, unless it is what it was.
    fn tell_ledger(&mut self) {
        let ledger = self.shared.ledger();
        let told = (ledger.offered, ledger.delivered, ledger.dead);
        if mem::replace(&mut self.told_ledger, told) != told {
            telemetry::ledger(&ledger);
        }
    }

    /// When the engine must look again by itself. A time that is past is none: what could be done since then has
    /// been, and what could not waits for something else.
    pub(super) fn wake_at(&self, now: Instant) -> Instant {
        // Others may make room in the same outbox, or deliver what is waited for, and do not tell.
        let waited_for =
            self.shared.intake.waiting() > 0 || !self.flushes.is_empty() || self.deadline.is_some();
        let look = waited_for.then_some(self.next_look);
        let times = [self.deadline, self.look_for_late, look, self.next_action(now)];
        times.into_iter().flatten().filter(|time| *time > now).fold(self.next_ledger, Instant::min)
    }

    /// When an event may go that cannot now.
    fn next_action(&self, now: Instant) -> Option<Instant> {
        let outbox = self.outbox_troubles.iter().flatten().map(|trouble| trouble.until).min();
        let contacts = self.contacts.next_action();
        let settle = (self.batch.len() > 0).then_some(self.next_settle);
        [outbox, settle, contacts, self.line.next_try(), self.blocked_until, self.next_due]
            .into_iter()
            .flatten()
            .filter(|time| *time > now)
            .min()
    }

    pub(super) fn is_done(&self, now: Instant) -> bool {
        if self.stop {
            return true;
        }
        let Some(deadline) = self.deadline else { return false };
        if now >= deadline {
            return true;
        }
        let idle = self.in_flight.is_empty()
            && self.ready.is_empty()
            && self.batch.len() == 0
            && self.settling == 0
            && self.leasing.is_none();
        if !idle || !self.sealed {
            return false;
        }
        // Nothing waits, or nothing that waits can go before the deadline.
        let blocked = !self.more || self.blocked_until.is_some() || self.line.next_try().is_some();
        self.shared.outbox.counts().pending == 0
            || blocked && self.next_action(now).is_some_and(|time| time > deadline)
    }

    /// Gives back what is leased, and answers who waits for the end.
    pub(super) async fn end(mut self, outbox: &dyn Outbox) {
        let sent = self.in_flight.give_up_all();
        let sent = sent.into_iter().filter_map(|asked| match asked.subject {
            Subject::Event(lease) => Some(lease),
            Subject::Contact(_) => None,
        });
        let ready = mem::take(&mut self.ready).into_iter().map(|(_, lease)| lease);
        let leases: Vec<_> = sent.chain(ready).chain(self.contacts.take_parked()).collect();
        for lease in &leases {
            self.put_back(lease, Duration::ZERO, lease.attempts, None);
        }
        if self.batch.len() > 0 {
            let now = Instant::now();
            let batch = self.take_batch(now);
            match timeout(FAREWELL, batch.settle(outbox)).await {
                Ok((batch, settled)) => self.settled(batch, settled, now),
                Err(_) => {
                    let error = OutboxError::new("it did not answer in time");
                    self.outbox_failed(Trouble::Settle, &error, now);
                }
            }
        }
        self.tell_ledger();
        let report = self.shared.report();
        let flushes = self.flushes.drain(..).map(|(_, reply)| reply);
        for reply in self.shutdowns.drain(..).chain(flushes) {
            let _ = reply.send(report);
        }
    }
}
