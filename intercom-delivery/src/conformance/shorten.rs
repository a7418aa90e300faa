//! Makes a sequence that fails shorter.

use super::{Letters, Operation, Settling};

/// How many sequences are tried at the most.
const TRIES: usize = 5_000;

/// The shortest sequence that still fails and is reached by leaving things out, one after the other.
///
/// Proptest does this before, but does not begin again when a smaller number makes something else superfluous.
pub(super) fn shorten(
    mut operations: Vec<Operation>,
    fails: impl Fn(&[Operation]) -> bool,
) -> Vec<Operation> {
    let mut tries = 0..TRIES;
    loop {
        let mut candidates = candidates(&operations).take_while(|_| tries.next().is_some());
        let shorter = candidates.find(|shorter| fails(shorter));
        drop(candidates);
        match shorter {
            Some(shorter) => operations = shorter,
            None => return operations,
        }
    }
}

/// All sequences with one thing less, from the end.
fn candidates(operations: &[Operation]) -> impl Iterator<Item = Vec<Operation>> {
    let without = move |index: usize| {
        let mut shorter = operations.to_vec();
        shorter.remove(index);
        shorter
    };
    let simpler = move |index: usize| {
        simpler(&operations[index]).into_iter().map(move |operation| {
            let mut simpler = operations.to_vec();
            simpler[index] = operation;
            simpler
        })
    };
    let indexes = (0..operations.len()).rev();
    indexes.clone().map(without).chain(indexes.flat_map(simpler))
}

/// The same operation with one thing less, or with smaller numbers.
fn simpler(operation: &Operation) -> Vec<Operation> {
    match operation {
        Operation::Accept(offers, collisions) => {
            less(offers).map(|offers| Operation::Accept(offers, *collisions)).collect()
        }
        Operation::Settle(settlings) => {
            let nearer = settlings.iter().enumerate().flat_map(|(index, settling)| {
                (0..settling.lease).map(move |lease| {
                    let mut settlings = settlings.clone();
                    settlings[index] = Settling { lease, ending: settling.ending.clone() };
                    settlings
                })
            });
            less(settlings).chain(nearer).map(Operation::Settle).collect()
        }
        Operation::Lease { most, term } => {
            let fewer = (0..*most).map(|most| (most, *term));
            let shorter = (1..*term).map(|term| (*most, term));
            fewer.chain(shorter).map(|(most, term)| Operation::Lease { most, term }).collect()
        }
        Operation::Redrive(Letters::One(number)) => {
            (0..*number).map(|number| Operation::Redrive(Letters::One(number))).collect()
        }
        Operation::Purge(Letters::One(number)) => {
            (0..*number).map(|number| Operation::Purge(Letters::One(number))).collect()
        }
        Operation::Read { after: Some(_), most } => {
            vec![Operation::Read { after: None, most: *most }]
        }
        _ => Vec::new(),
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
