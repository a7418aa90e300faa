//! Compares the workers' records with the contents of the file.

use std::collections::BTreeSet;

use crate::file::Contents;
use crate::ledger::Ledger;

/// Returns all complaints.
pub(crate) fn complaints(told: &Ledger, found: &Contents) -> Vec<String> {
    let mut complaints = found.complaints.clone();
    let there: BTreeSet<u64> = found.pending.union(&found.dead).copied().collect();
    let mut all = |events: BTreeSet<u64>, what: &str| {
        complaints.extend(events.into_iter().map(|number| format!("event {number} {what}")));
    };
    all(lost(told, found), "was accepted, and is lost");
    all(there.difference(&told.offered).copied().collect(), "was never offered");
    all(&there & &told.refused, "was refused, and is stored");
    all(&there & &told.settled, "was settled, and is stored");
    all(&(&told.buried - &told.redriven) - &found.dead, "was buried, and is no dead letter");
    all(&told.kept - &there, "failed to settle, and is gone");
    all(told.changed.clone(), "arrived with other bytes");
    all(&found.dead - &told.rejected, "is a dead letter without a refusal");
    complaints
}

/// Returns the accepted events that are neither in the file nor at the destination.
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

    /// Makes a ledger of one accepted event and another record of it.
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
        // The outcome is not known yet.
        assert_eq!(complaints(&told(&["Offered 8 9"]), &pending(&[7, 8])), [""; 0]);
        assert_eq!(complaints(&told(&["Offered 8 9"]), &pending(&[7])), [""; 0]);
    }

    #[test]
    fn each_mistake_is_found_out() {
        let mistakes = [
            (told(&[]), pending(&[]), "event 7 was accepted, and is lost"),
            (told(&[]), pending(&[7, 8]), "event 8 was never offered"),
            (told(&["Refused 7 8"]), pending(&[7]), "event 7 was refused, and is stored"),
            (
                told(&["Delivered 7 8", "Settled 7 8"]),
                pending(&[7]),
                "event 7 was settled, and is stored",
            ),
            (
                told(&["Delivered 7 8", "Kept 7 8"]),
                pending(&[]),
                "event 7 failed to settle, and is gone",
            ),
            (told(&["Buried 7 8"]), pending(&[7]), "event 7 was buried, and is no dead letter"),
            (told(&["Changed 7 8"]), pending(&[7]), "event 7 arrived with other bytes"),
            (told(&[]), dead(&[7]), "event 7 is a dead letter without a refusal"),
        ];
        for (told, found, complaint) in mistakes {
            assert_eq!(complaints(&told, &found), [complaint]);
        }
    }
}
