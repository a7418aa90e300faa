//! What is done to an outbox.

use proptest::collection::vec;
use proptest::prelude::*;

use super::offer::{NAMES, Offer, offer};
use crate::outbox::{Collisions, DeathReason};

/// Something that is done to an outbox.
///
/// What it is done to is told by number among what there is, counted round, and it is left out where there is nothing.
/// So each sequence of operations can be done. Times are in [ticks](super::Profile::tick).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Accepts these events at once.
    Accept(Vec<Offer>, Collisions),
    /// Accepts this event without waiting, if the outbox can.
    TryAccept(Offer, Collisions),
    /// Leases events.
    Lease {
        /// How many at most.
        most: usize,
        /// For how many ticks.
        term: u32,
    },
    /// Settles these leases at once.
    Settle(Vec<Settling>),
    /// Redrives dead letters.
    Redrive(Letters),
    /// Purges dead letters.
    Purge(Letters),
    /// Reads dead letters.
    Read {
        /// Those after this one: counted as in [`Letters::One`].
        after: Option<usize>,
        /// How many at most.
        most: usize,
    },
    /// So many ticks pass.
    Advance(u32),
}

/// How a lease is settled, good or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settling {
    /// Which lease, counted back from the last one.
    pub lease: usize,
    /// How it ends.
    pub ending: Ending,
}

/// What becomes of a leased event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// It was delivered.
    Acknowledge,
    /// It is due again in so many ticks.
    PutBack {
        /// In how many.
        after: u32,
        /// How many attempts are spent.
        attempts: u32,
    },
    /// It is a dead letter.
    Bury {
        /// Why.
        reason: DeathReason,
        /// How many attempts were spent.
        attempts: u32,
        /// Whether there was an answer.
        answered: bool,
    },
}

/// Which dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Letters {
    /// All of them.
    All,
    /// Those with one of a few event names.
    Name(usize),
    /// Those that died for this reason.
    Reason(DeathReason),
    /// The one with this number, and any other event after the last.
    One(usize),
}

/// Up to 60 operations of all kinds, in proportions in which an outbox fills up, empties, and ages.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 1..60)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        // Shrinking goes towards the first.
        4 => (0_u32..4).prop_map(Operation::Advance),
        // Long enough for a collision to be forgotten.
        2 => (10_u32..30).prop_map(Operation::Advance),
        8 => (vec(offer(), 1..6), collisions())
            .prop_map(|(offers, collisions)| Operation::Accept(offers, collisions)),
        3 => (offer(), collisions())
            .prop_map(|(offer, collisions)| Operation::TryAccept(offer, collisions)),
        8 => (0_usize..8, 1_u32..6).prop_map(|(most, term)| Operation::Lease { most, term }),
        9 => vec(settling(), 1..6).prop_map(Operation::Settle),
        3 => letters().prop_map(Operation::Redrive),
        2 => letters().prop_map(Operation::Purge),
        2 => (prop::option::of(0_usize..8), 0_usize..6)
            .prop_map(|(after, most)| Operation::Read { after, most }),
    ]
}

fn settling() -> impl Strategy<Value = Settling> {
    let ending = prop_oneof![
        3 => Just(Ending::Acknowledge),
        3 => (0_u32..6, attempts())
            .prop_map(|(after, attempts)| Ending::PutBack { after, attempts }),
        4 => (reason(), attempts(), any::<bool>())
            .prop_map(|(reason, attempts, answered)| Ending::Bury { reason, attempts, answered }),
    ];
    // Most are still good: those before are only reached now and then.
    let lease = prop_oneof![3 => 0_usize..5, 1 => 0_usize..40];
    (lease, ending).prop_map(|(lease, ending)| Settling { lease, ending })
}

fn letters() -> impl Strategy<Value = Letters> {
    prop_oneof![
        (0_usize..8).prop_map(Letters::One),
        reason().prop_map(Letters::Reason),
        (0..NAMES.len()).prop_map(Letters::Name),
        Just(Letters::All),
    ]
}

/// Move is what is done by default, and more can go wrong with it.
fn collisions() -> impl Strategy<Value = Collisions> {
    prop_oneof![3 => Just(Collisions::Move), 1 => Just(Collisions::Keep)]
}

/// Half of the time one of the first two, so that one selection often has several letters.
fn reason() -> impl Strategy<Value = DeathReason> {
    let some = prop::sample::select(&DeathReason::ALL[..2]);
    prop_oneof![some, prop::sample::select(DeathReason::ALL)]
}

fn attempts() -> impl Strategy<Value = u32> {
    prop_oneof![9 => 0_u32..12, 1 => Just(u32::MAX)]
}
