//! Operations on an outbox.

use fastrand::Rng;

use super::offer::{CONTACTS, NAMES, Offer};
use crate::outbox::DeadLetterReason;

/// An operation on an outbox, by one of two engines or by an operator.
///
/// A number selects its object among the present ones, modulo their count. Without an object the
/// suite skips the operation, so it can run any sequence. Times are in
/// [ticks](super::Profile::tick).
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Accepts these events at once.
    Accept(Vec<Offer>),
    /// Leases events. A call that waits goes on waiting during the operations that follow, until it
    /// returns or the engine calls again.
    Lease {
        engine: usize,
        limit: usize,
        /// Whether to drop the call just before it returns.
        cancelled: bool,
    },
    /// Stores admissions of these leases, counted back from the last.
    Admit {
        epoch: usize,
        admissions: Vec<(usize, Admitting)>,
    },
    /// Settles these leases at once, under an epoch counted back from the last.
    Settle {
        epoch: usize,
        settlings: Vec<(usize, LeaseEnd)>,
        forget: u32,
    },
    /// Ends the turn of this engine.
    End {
        engine: usize,
        how: End,
    },
    /// Releases an epoch counted back from the last.
    Release {
        epoch: usize,
    },
    /// Redrives dead letters.
    Redrive(Letters),
    /// Purges dead letters.
    Purge(Letters),
    /// Buries pending events. [`Letters::One`] is one of them, and any other event after the last.
    Bury(Letters),
    /// Erases or forgives a contact by one of a few identifiers.
    Erase(usize),
    Forgive(usize),
    /// Reads dead letters: those after this one, counted as in [`Letters::One`].
    Read {
        after: Option<usize>,
        limit: usize,
    },
    /// So many ticks pass.
    Advance(u32),
}

/// The admission of an event.
#[derive(Clone, Debug)]
pub(super) struct Admitting {
    pub(super) how: Admit,
    pub(super) collides: bool,
    /// The events derived from it.
    pub(super) derived: Vec<Offer>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Admit {
    Keep,
    /// Moves it by this many seconds.
    Move(u8),
    /// It gets another of a few names.
    Rename(usize),
    /// It is due again after so many ticks.
    Defer(u32),
    Withhold,
    Drop,
}

/// What becomes of a leased event.
#[derive(Clone, Debug)]
pub(super) enum LeaseEnd {
    /// Delivered. The outbox keeps its slot for this many ticks.
    Deliver { keep: u32 },
    /// It is due again after so many ticks.
    PutBack { after: u32, attempts: u32 },
    /// It is a dead letter. The outbox keeps its slot for this many ticks, if an attempt may have
    /// arrived.
    Bury { reason: DeadLetterReason, attempts: u32, answered: bool, keep: Option<u32> },
}

/// How an engine ends its turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    ReleaseAndDrop,
    /// It keeps the tenure meanwhile.
    Release,
    /// It has no time to release it.
    Drop,
}

/// Which dead letters, or which pending events.
#[derive(Clone, Debug)]
pub(super) enum Letters {
    All,
    /// Those with one of a few event names.
    Name(usize),
    Reason(DeadLetterReason),
    /// The one with this number, and any other event after the last.
    One(usize),
}

/// Makes up to 60 operations of all kinds, in proportions in which an outbox fills up, empties and
/// ages.
pub(super) fn operations(random: &mut Rng) -> Vec<Operation> {
    // Without a turn no event can be leased.
    let begin = Operation::Lease { engine: 0, limit: 0, cancelled: false };
    let number = random.usize(1..60);
    std::iter::once(begin).chain(std::iter::repeat_with(|| any(random)).take(number)).collect()
}

fn any(random: &mut Rng) -> Operation {
    // Mostly the first engine, and the present epoch.
    let engine = usize::from(random.u8(..6) == 0);
    let epoch = if random.u8(..8) == 0 { random.usize(1..3) } else { 0 };
    match random.u8(..50) {
        0..5 => Operation::Advance(random.u32(..4)),
        5..7 => Operation::Advance(random.u32(10..30)),
        7..16 => Operation::Accept(some(random, Offer::any)),
        16..26 => {
            let limit = random.usize(..8);
            Operation::Lease { engine, limit, cancelled: random.u8(..6) == 0 }
        }
        26..30 => {
            let admissions = some(random, |random| (lease(random), admitting(random)));
            Operation::Admit { epoch, admissions }
        }
        30..38 => {
            let settlings = some(random, |random| (lease(random), ending(random)));
            Operation::Settle { epoch, settlings, forget: random.u32(..12) }
        }
        38..41 => {
            let how = [End::ReleaseAndDrop, End::Release, End::Drop][random.usize(..3)];
            Operation::End { engine, how }
        }
        41 => Operation::Release { epoch: random.usize(1..3) },
        42..45 => Operation::Redrive(letters(random)),
        45 => Operation::Purge(letters(random)),
        46 if random.bool() => Operation::Bury(letters(random)),
        46 if random.bool() => Operation::Erase(random.usize(..CONTACTS)),
        46 => Operation::Forgive(random.usize(..CONTACTS)),
        _ => {
            let after = random.bool().then(|| random.usize(..8));
            Operation::Read { after, limit: random.usize(..6) }
        }
    }
}

fn some<T>(random: &mut Rng, mut one: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..random.usize(1..6)).map(|_| one(random)).collect()
}

/// Most are still good. Those before are only reached now and then.
fn lease(random: &mut Rng) -> usize {
    if random.u8(..4) < 3 { random.usize(..5) } else { random.usize(..40) }
}

fn admitting(random: &mut Rng) -> Admitting {
    let how = match random.u8(..12) {
        0..4 => Admit::Move(random.u8(1..4)),
        4..7 => Admit::Keep,
        7 => Admit::Rename(random.usize(..NAMES.len())),
        8..10 => Admit::Defer(random.u32(..6)),
        10 => Admit::Withhold,
        _ => Admit::Drop,
    };
    let derived = if random.u8(..3) > 0 { 0 } else { random.usize(1..3) };
    let derived = std::iter::repeat_with(|| Offer::any(random)).take(derived).collect();
    Admitting { how, collides: random.bool(), derived }
}

fn ending(random: &mut Rng) -> LeaseEnd {
    let attempts = if random.u8(..10) == 0 { u32::MAX } else { random.u32(..12) };
    match random.u8(..10) {
        0..3 => LeaseEnd::Deliver { keep: random.u32(..20) },
        3..6 => LeaseEnd::PutBack { after: random.u32(..6), attempts },
        _ => LeaseEnd::Bury {
            reason: reason(random),
            attempts,
            answered: random.bool(),
            keep: random.bool().then(|| random.u32(..20)),
        },
    }
}

fn letters(random: &mut Rng) -> Letters {
    match random.u8(..4) {
        0 => Letters::One(random.usize(..8)),
        1 => Letters::Reason(reason(random)),
        2 => Letters::Name(random.usize(..NAMES.len())),
        _ => Letters::All,
    }
}

/// Half of the time one of the first two, so that one selection often has several letters.
fn reason(random: &mut Rng) -> DeadLetterReason {
    let all = DeadLetterReason::ALL;
    let among = if random.bool() { 2 } else { all.len() };
    all[random.usize(..among)]
}

impl Operation {
    /// Returns the same operation with one thing less, or with smaller numbers.
    pub(super) fn simpler(&self) -> Vec<Operation> {
        match self.clone() {
            Operation::Accept(offers) => less(&offers).map(Operation::Accept).collect(),
            Operation::Lease { engine, limit, cancelled } => {
                let fewer = (0..limit).map(|limit| Operation::Lease { engine, limit, cancelled });
                let whole =
                    cancelled.then_some(Operation::Lease { engine, limit, cancelled: false });
                let first =
                    (engine > 0).then_some(Operation::Lease { engine: 0, limit, cancelled });
                whole.into_iter().chain(first).chain(fewer).collect()
            }
            Operation::Admit { epoch, admissions } => {
                let simpler = less(&admissions).chain(nearer(&admissions));
                simpler.map(|admissions| Operation::Admit { epoch, admissions }).collect()
            }
            Operation::Settle { epoch, settlings, forget } => {
                let simpler = less(&settlings).chain(nearer(&settlings));
                simpler.map(|settlings| Operation::Settle { epoch, settlings, forget }).collect()
            }
            Operation::Redrive(Letters::One(number)) => {
                (0..number).map(|number| Operation::Redrive(Letters::One(number))).collect()
            }
            Operation::Purge(Letters::One(number)) => {
                (0..number).map(|number| Operation::Purge(Letters::One(number))).collect()
            }
            Operation::Bury(Letters::One(number)) => {
                (0..number).map(|number| Operation::Bury(Letters::One(number))).collect()
            }
            Operation::Read { after: Some(_), limit } => {
                vec![Operation::Read { after: None, limit }]
            }
            Operation::Advance(ticks) => (1..ticks).map(Operation::Advance).collect(),
            _ => Vec::new(),
        }
    }
}

/// The same with one less, if any are left then.
fn less<T: Clone>(items: &[T]) -> impl Iterator<Item = Vec<T>> {
    let indexes = if items.len() > 1 { 0..items.len() } else { 0..0 };
    indexes.map(|index| {
        let mut less = items.to_vec();
        less.remove(index);
        less
    })
}

/// The same with one lease nearer to the last.
fn nearer<T: Clone>(items: &[(usize, T)]) -> impl Iterator<Item = Vec<(usize, T)>> {
    items.iter().enumerate().flat_map(move |(index, (lease, _))| {
        (0..*lease).map(move |lease| {
            let mut nearer = items.to_vec();
            nearer[index].0 = lease;
            nearer
        })
    })
}
