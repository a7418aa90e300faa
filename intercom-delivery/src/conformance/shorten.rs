//! Makes a sequence that fails shorter.

use std::time::{Duration, Instant};

use super::operation::Operation;

/// The limit of one search for a shorter sequence.
const SHORTEN_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the shortest failing sequence that it finds by leaving operations out, one after the
/// other.
pub(super) fn shorten(
    mut operations: Vec<Operation>,
    fails: impl Fn(&[Operation]) -> bool,
) -> Vec<Operation> {
    let begin = Instant::now();
    // Large pieces first, to remove most of a long sequence in a few tries.
    let mut piece = operations.len() / 2;
    while piece > 1 {
        let mut start = 0;
        while start < operations.len() {
            let end = operations.len().min(start + piece);
            let shorter = [&operations[..start], &operations[end..]].concat();
            if fails(&shorter) {
                operations = shorter;
            } else {
                start = end;
            }
        }
        piece /= 2;
    }
    loop {
        let mut candidates =
            candidates(&operations).take_while(|_| begin.elapsed() < SHORTEN_TIMEOUT);
        let shorter = candidates.find(|shorter| fails(shorter));
        drop(candidates);
        match shorter {
            Some(shorter) => operations = shorter,
            None => return operations,
        }
    }
}

/// Returns all sequences without one operation, or with a simpler one, from the end.
fn candidates(operations: &[Operation]) -> impl Iterator<Item = Vec<Operation>> {
    let without = move |index: usize| {
        let mut shorter = operations.to_vec();
        shorter.remove(index);
        shorter
    };
    let simpler = move |index: usize| {
        operations[index].simpler().into_iter().map(move |operation| {
            let mut simpler = operations.to_vec();
            simpler[index] = operation;
            simpler
        })
    };
    let indexes = (0..operations.len()).rev();
    indexes.clone().map(without).chain(indexes.flat_map(simpler))
}
