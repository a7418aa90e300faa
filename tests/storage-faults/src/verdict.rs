//! The judgement: what the workers told, against what is in the file.

use std::collections::BTreeSet;

use crate::file::Contents;
use crate::ledger::Ledger;

/// Everything that is wrong.
pub(crate) fn complaints(told: &Ledger, found: &Contents) -> Vec<String> {
    let mut complaints = found.complaints.clone();
    let there: BTreeSet<u64> = found.pending.union(&found.dead).copied().collect();
    let mut all = |events: BTreeSet<u64>, what: &str| {
        complaints.extend(events.into_iter().map(|number| format!("event {number} {what}")));
    };
    all(lost(told, found), "was accepted and is lost");
    all(there.difference(&told.offered).copied().collect(), "was never offered");
    all(&there & &told.refused, "was refused and is there");
    all(&there & &told.settled, "was settled and is there");
    all(&(&told.buried - &told.redriven) - &found.dead, "was buried and is no dead letter");
    all(&told.kept - &there, "could not be settled and is gone");
    all(told.changed.clone(), "came to its destination as something else");
    all(&found.dead - &told.rejected, "is a dead letter and nobody rejected it");
    complaints
}

/// What was accepted, and is neither in the file nor where it was to go.
pub(crate) fn lost(told: &Ledger, found: &Contents) -> BTreeSet<u64> {
    let gone = |number: &&u64| {
        !found.pending.contains(number)
            && !found.dead.contains(number)
            && !told.delivered.contains_key(number)
    };
    told.accepted.iter().filter(gone).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One event that was accepted, and what else was told of it.
    fn told(lines: &[&str]) -> Ledger {
        let mut told = Ledger::default();
        for line in ["Offered 7 8", "Accepted 7 8"].iter().chain(lines) {
            told.read(line);
        }
        told
    }

    fn pending(numbers: &[u64]) -> Contents {
        Contents { pending: numbers.iter().copied().collect(), ..Contents::default() }
    }

    fn dead(numbers: &[u64]) -> Contents {
        Contents { dead: numbers.iter().copied().collect(), ..Contents::default() }
    }

    #[test]
    fn a_correct_run_gets_no_complaint() {
        assert_eq!(complaints(&told(&[]), &pending(&[7])), [""; 0]);
        assert_eq!(complaints(&told(&["Delivered 7 8"]), &pending(&[])), [""; 0]);
        assert_eq!(complaints(&told(&["Delivered 7 8"]), &pending(&[7])), [""; 0]);
        assert_eq!(complaints(&told(&["Rejected 7 8", "Buried 7 8"]), &dead(&[7])), [""; 0]);
        let redriven = told(&["Rejected 7 8", "Buried 7 8", "Redriven 7 8"]);
        assert_eq!(complaints(&redriven, &pending(&[7])), [""; 0]);
        // Nobody knows yet what became of it.
        assert_eq!(complaints(&told(&["Offered 8 9"]), &pending(&[7, 8])), [""; 0]);
        assert_eq!(complaints(&told(&["Offered 8 9"]), &pending(&[7])), [""; 0]);
    }

    #[test]
    fn each_mistake_is_found_out() {
        let mistakes = [
            (told(&[]), pending(&[]), "event 7 was accepted and is lost"),
            (told(&[]), pending(&[7, 8]), "event 8 was never offered"),
            (told(&["Refused 7 8"]), pending(&[7]), "event 7 was refused and is there"),
            (
                told(&["Delivered 7 8", "Settled 7 8"]),
                pending(&[7]),
                "event 7 was settled and is there",
            ),
            (
                told(&["Delivered 7 8", "Kept 7 8"]),
                pending(&[]),
                "event 7 could not be settled and is gone",
            ),
            (told(&["Buried 7 8"]), pending(&[7]), "event 7 was buried and is no dead letter"),
            (
                told(&["Changed 7 8"]),
                pending(&[7]),
                "event 7 came to its destination as something else",
            ),
            (told(&[]), dead(&[7]), "event 7 is a dead letter and nobody rejected it"),
        ];
        for (told, found, complaint) in mistakes {
            assert_eq!(complaints(&told, &found), [complaint]);
        }
    }
}
