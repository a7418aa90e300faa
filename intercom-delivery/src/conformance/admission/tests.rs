//! The rules of admission hold over the outbox in memory, and each is needed.

use std::collections::{HashMap, HashSet};

use intercom_core::{Timestamp, async_trait};
use tokio::runtime::Builder;

use super::*;
use crate::conformance::{Forward, Forwarding};
use crate::engine::admission::WINDOW_SECONDS;
use crate::outbox::{Epoch, EventId, MemoryOutbox, OutboxError, Settlement, UsedSlot};

const HISTORIES: u64 = 1_500;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn tally(seed: u64, left_out: LeftOut) -> HistorySummary {
    let crash = async |outbox| outbox;
    let history = run_history(seed, left_out, MemoryOutbox::new(), crash, tokio::time::advance);
    runtime().block_on(history)
}

#[test]
fn no_event_is_sent_in_vain_and_no_more_move_than_with_a_guard_at_acceptance() {
    let (mut moved, mut moved_at_acceptance, mut delivered, mut ruled) = (0, 0, 0, 0);
    for seed in 0..HISTORIES {
        let tally = tally(seed, LeftOut::Nothing);
        assert!(tally.violations.is_empty(), "the history {seed}: {:#?}", tally.violations);
        delivered += tally.delivered;
        ruled += tally.ruled;
        // A guard at acceptance knows nothing of what rules make.
        if tally.policy == Collisions::Move && tally.ruled == 0 {
            moved += tally.moved;
            moved_at_acceptance += GuardAtAcceptance::default().moved(&tally.log);
        }
    }
    let moves = format!("{moved} moved instead of {moved_at_acceptance}, {delivered} delivered");
    assert!(moved <= moved_at_acceptance && moved > HISTORIES / 2, "{moves}");
    assert!(ruled > 5 * HISTORIES, "{ruled} events were derived and dropped");
}

#[test]
fn each_rule_is_needed() {
    for left_out in [
        LeftOut::HeldSlots,
        LeftOut::UsedSlots,
        LeftOut::DeadSlots,
        LeftOut::EarliestNew,
        LeftOut::Order,
        LeftOut::StoredMoves,
        LeftOut::StoredDerived,
    ] {
        let is_wrong = |seed| !tally(seed, left_out).violations.is_empty();
        assert!((0..HISTORIES).any(is_wrong), "nothing goes wrong without {left_out:?}");
    }
}

#[test]
#[should_panic(expected = "breaks a promise")]
fn an_outbox_that_loses_used_slots_is_found() {
    run_admission(HISTORIES, &runtime(), async || {
        (Forwarding(Forgetful(MemoryOutbox::new())), async |outbox| outbox, tokio::time::advance)
    });
}

struct Forgetful(MemoryOutbox);

#[async_trait]
impl Forward for Forgetful {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.0
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        _: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        self.0.settle(epoch, settlements, UsedSlot::WHILE_DEAD).await
    }
}

/// What moved events when they were accepted: it held all events until they were delivered, and
/// remembered each for the window.
#[derive(Default)]
struct GuardAtAcceptance {
    slots: HashMap<u64, Slot>,
    held: HashSet<Slot>,
    left: HashMap<Slot, i64>,
    ahead: HashSet<Slot>,
}

impl GuardAtAcceptance {
    /// Returns how many events it moves.
    fn moved(mut self, log: &[Step]) -> u64 {
        log.iter().map(|step| u64::from(self.moves(*step))).sum()
    }

    fn moves(&mut self, step: Step) -> bool {
        match step {
            Step::Accepted { event, slot, now } => {
                let seconds = slot.second.unix_seconds()..;
                let slots = seconds
                    .map(|second| Slot { second: Timestamp::from_unix_seconds(second), ..slot });
                let free = slots.into_iter().find(|slot| !self.is_taken(*slot, now)).unwrap();
                if free != slot {
                    self.ahead.insert(free);
                }
                self.held.insert(free);
                self.slots.insert(event, free);
                free != slot
            }
            Step::Delivered { event, now } => {
                let slot = self.slots[&event];
                self.held.remove(&slot);
                self.left.insert(slot, now);
                false
            }
        }
    }

    fn is_taken(&self, slot: Slot, now: i64) -> bool {
        let is_ahead = slot.second.unix_seconds() >= now - WINDOW_SECONDS;
        self.held.contains(&slot)
            || self.left.get(&slot).is_some_and(|left| now < left + WINDOW_SECONDS)
            || (is_ahead && self.ahead.contains(&slot))
    }
}
