//! Publishes the state of the engine, whenever it changes.

use std::mem;
use std::sync::Arc;

use intercom_core::RateLimit;
use tokio::time::Instant;

use super::pacer::Doubt;
use crate::intake::Intake;
use crate::metrics::BreakerState;
use crate::outbox::Standby;
use crate::status::{Condition, DeliveringTurn, Health, Open};
use crate::telemetry;

pub(super) struct Reporter {
    health: Arc<Health>,
    intake: Arc<Intake>,
    changed: bool,
    breaker: BreakerState,
    /// The present turn. `None` before the outbox's first answer.
    turn: Option<PublishedTurn>,
    /// The end of the wait, as last published.
    published_block: Option<Instant>,
    creation_failure: Option<String>,
}

enum PublishedTurn {
    Mine(DeliveringTurn),
    Other(Standby),
}

/// The published state of the other parts.
pub(super) struct Sources<'a> {
    pub(super) breaker: BreakerState,
    /// Why the breaker is open, and when the next probe may go.
    pub(super) open: Option<(&'a Open, Instant)>,
    pub(super) blocked_until: Option<Instant>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) rate_limit_doubt: Option<Doubt>,
    pub(super) outbox: Option<&'a str>,
    pub(super) in_flight: usize,
}

impl Reporter {
    pub(super) fn new(health: Arc<Health>, intake: Arc<Intake>) -> Self {
        Reporter {
            health,
            intake,
            changed: false,
            breaker: BreakerState::Closed,
            turn: None,
            published_block: None,
            creation_failure: None,
        }
    }

    /// Records a change of the published state.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    pub(super) fn began(&mut self, turn: DeliveringTurn) {
        self.leave_turn();
        self.intake.metrics.took_over();
        telemetry::began(turn.epoch);
        self.turn = Some(PublishedTurn::Mine(turn));
        self.changed = true;
    }

    pub(super) fn stands_by(&mut self, standby: Standby) {
        self.leave_turn();
        telemetry::stands_by(&standby);
        self.turn = Some(PublishedTurn::Other(standby));
        self.creation_failure = None;
        self.set_pending(0);
        self.changed = true;
    }

    /// Records that another process has taken the turn.
    fn leave_turn(&self) {
        if matches!(self.turn, Some(PublishedTurn::Mine(_))) {
            self.intake.metrics.left_turn(true);
        }
    }

    /// Records why Intercom creates no contacts, or that it creates them again.
    pub(super) fn set_creation_failure(&mut self, failure: Option<String>) {
        self.changed |= failure.is_some() || self.creation_failure.is_some();
        self.creation_failure = failure;
    }

    /// Sets the outbox's number of pending events.
    pub(super) fn set_pending(&mut self, pending: u64) {
        self.health.set_pending(pending);
        self.intake.metrics.set_pending(pending);
    }

    /// Records settled events.
    pub(super) fn left(&mut self, events: u64) {
        self.set_pending(self.pending().saturating_sub(events));
    }

    /// Returns the number of pending events, as far as this engine knows.
    pub(super) fn pending(&self) -> u64 {
        self.health.pending()
    }

    /// Publishes the changes.
    pub(super) fn publish(&mut self, sources: Sources<'_>) {
        self.health.set_in_flight(sources.in_flight);
        if sources.breaker != self.breaker {
            self.breaker = sources.breaker;
            self.intake.metrics.set_breaker(self.breaker);
        }
        let block_changed = sources.blocked_until != self.published_block;
        if !mem::take(&mut self.changed) && !block_changed {
            return;
        }
        self.published_block = sources.blocked_until;
        let mut published = self.health.published();
        published.condition = match (&self.turn, sources.open, sources.blocked_until) {
            (None, _, _) => Condition::Starting,
            (Some(PublishedTurn::Other(Standby { deliverer, since, .. })), _, _) => {
                Condition::Standby { deliverer: deliverer.clone(), since: *since }
            }
            (_, Some((open, next_probe)), _) => Condition::Open { open: open.clone(), next_probe },
            (_, _, Some(until)) => Condition::Paused(until),
            (_, None, None) => Condition::Delivering,
        };
        published.turn = match &self.turn {
            Some(PublishedTurn::Mine(turn)) => Some(*turn),
            _ => None,
        };
        published.rate_limit = sources.rate_limit;
        published.rate_limit_doubt = sources.rate_limit_doubt;
        published.outbox = sources.outbox.map(str::to_owned);
        published.contact_creation.clone_from(&self.creation_failure);
    }
}
