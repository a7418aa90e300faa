//! Admission over an outbox that crashes, compared with what Intercom would do.
//!
//! The engine's own `SlotAllocator`, its rules and a real outbox go through a random history. Its
//! events have few contacts and seconds, and some are backdated. Rules derive, rename and drop
//! events. Attempts may arrive or not, and events are put back, buried and redriven. There are
//! pauses, and crashes between any two steps.

mod history;

use std::time::Duration;

use fastrand::Rng;
use intercom_rules::{Rule, Rules, key};
use tokio::runtime::Runtime;

use self::history::AdmissionHistory;
use crate::outbox::{Operate, Outbox, Slot};
use crate::policy::Collisions;

/// Tests that the engine sends no event from this outbox that Intercom would ignore, also after
/// crashes at any moment.
///
/// - No two events of one contact, name and second are sent, unless the second one counts as
///   collided.
/// - All attempts of an event send the same bytes.
/// - Each derived event exists once. A renamed event is sent under its new name, and a dropped event
///   is not sent.
///
/// `histories` is the number of random histories. Every second one has rules. `make` returns a new
/// and empty outbox, a function that opens it again after a crash, and a function that moves its
/// time. For an outbox in memory, only the turn ends in a crash. The runtime must have its timers
/// enabled.
///
/// ```
/// use intercom_delivery::{MemoryOutbox, conformance};
///
/// let mut runtime = tokio::runtime::Builder::new_current_thread();
/// let runtime = runtime.enable_time().start_paused(true).build()?;
/// conformance::run_admission(16, &runtime, async || {
///     (MemoryOutbox::new(), async |outbox| outbox, tokio::time::advance)
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// Panics when a history breaks one of these promises, and says which.
pub fn run_admission<O, C, A>(histories: u64, runtime: &Runtime, make: impl AsyncFn() -> (O, C, A))
where
    O: Outbox + Operate,
    C: AsyncFnMut(O) -> O,
    A: AsyncFnMut(Duration),
{
    for seed in 0..histories {
        let tally = runtime.block_on(async {
            let (outbox, crash, advance) = make().await;
            run_history(seed, LeftOut::Nothing, outbox, crash, advance).await
        });
        let HistorySummary { violations, .. } = tally;
        assert!(
            violations.is_empty(),
            "in the history with the seed {seed}, the engine over this outbox breaks a promise: \
             {violations:#?}"
        );
    }
}

/// Does what the history with this seed says.
async fn run_history<O, C, A>(
    seed: u64,
    left_out: LeftOut,
    outbox: O,
    crash: C,
    advance: A,
) -> HistorySummary
where
    O: Outbox + Operate,
    C: AsyncFnMut(O) -> O,
    A: AsyncFnMut(Duration),
{
    let mut random = Rng::with_seed(seed);
    let policy = if random.u8(..8) == 0 { Collisions::Keep } else { Collisions::Move };
    let rules = if seed % 2 == 1 { rules() } else { Rules::default() };
    let mut history =
        AdmissionHistory::new(random, policy, left_out, rules, (outbox, crash, advance));
    history.run().await;
    history.tally
}

/// A rule of admission that a history goes without, to show what the rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests leave something out"))]
enum LeftOut {
    Nothing,
    HeldSlots,
    UsedSlots,
    DeadSlots,
    /// Keeps a used slot for the window alone, even while an event waits for it.
    EarliestNew,
    /// Admits events when it sends them, and not in the order of their leases.
    Order,
    /// Sends a moved event without storing it.
    StoredMoves,
    /// Stores derived events after the admission of their cause, and not with it.
    StoredDerived,
}

/// Rules that derive, rename and drop events, by their kind.
fn rules() -> Rules {
    let of_kind = |kind: &str| Rule::on("project_created").when(key("kind").is(kind));
    let rules = Rules::builder()
        .rule(of_kind("derives").also_send("project_derived"))
        .rule(of_kind("drops").drop_event().also_send("project_derived"))
        .rule(of_kind("renames").rename("project_renamed"));
    rules.build_unchecked().expect("the rules are valid")
}

/// What came of a history.
#[derive(Debug)]
struct HistorySummary {
    policy: Collisions,
    /// Events that Intercom ignores, and attempts with other bytes than the first.
    violations: Vec<String>,
    delivered: u64,
    /// Events that the engine moved, and how often it did.
    moved: u64,
    moves: u64,
    /// Events that rules derived, renamed and dropped.
    ruled: u64,
    /// Each event in the order of acceptance, and each departure, for a comparison.
    log: Vec<Step>,
}

/// What a guard at acceptance would have seen.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests compare what was moved"))]
enum Step {
    /// The event with this number was accepted.
    Accepted {
        event: u64,
        slot: Slot,
        now: i64,
    },
    Delivered {
        event: u64,
        now: i64,
    },
}

#[cfg(test)]
mod tests;
