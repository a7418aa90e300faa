//! Compares the workers' records with the contents of the file.

use std::collections::BTreeSet;

use crate::file::Contents;
use crate::ledger::Ledger;

/// Returns all complaints.
pub(crate) fn complaints(ledger: &Ledger, found: &Contents) -> Vec<String> {
    let mut complaints = found.complaints.clone();
    let there: BTreeSet<u64> = found.pending.union(&found.dead).copied().collect();
    let mut all = |events: BTreeSet<u64>, what: &str| {
        complaints.extend(events.into_iter().map(|number| format!("event {number} {what}")));
    };
    all(lost(ledger, found), "was accepted, and is lost");
    all(there.difference(&ledger.offered).copied().collect(), "was never offered");
    all(&there & &ledger.refused, "was refused, and is stored");
    all(&there & &ledger.settled, "was settled, and is stored");
    all(&(&ledger.buried - &ledger.redriven) - &found.dead, "was buried, and is no dead letter");
    all(&ledger.kept - &there, "failed to settle, and is gone");
    all(ledger.changed.clone(), "arrived with other bytes");
    all(&found.dead - &ledger.rejected, "is a dead letter without a refusal");
    complaints
}

/// Returns the accepted events that are neither in the file nor at the destination.
pub(crate) fn lost(ledger: &Ledger, found: &Contents) -> BTreeSet<u64> {
    let gone = |number: &&u64| {
        !found.pending.contains(number)
            && !found.dead.contains(number)
            && !ledger.delivered.contains_key(number)
    };
    ledger.accepted.iter().filter(gone).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a ledger of one accepted event and another record of it.
    fn ledger(lines: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        for line in ["Offered 7 8", "Accepted 7 8"].iter().chain(lines) {
            ledger.read(line);
        }
        ledger
    }

    fn pending(numbers: &[u64]) -> Contents {
        Contents { pending: numbers.iter().copied().collect(), ..Contents::default() }
    }

    fn dead(numbers: &[u64]) -> Contents {
        Contents { dead: numbers.iter().copied().collect(), ..Contents::default() }
    }

    #[test]
    fn a_correct_run_gets_no_complaint() {
        assert_eq!(complaints(&ledger(&[]), &pending(&[7])), [""; 0]);
        assert_eq!(complaints(&ledger(&["Delivered 7 8"]), &pending(&[])), [""; 0]);
        assert_eq!(complaints(&ledger(&["Delivered 7 8"]), &pending(&[7])), [""; 0]);
        assert_eq!(complaints(&ledger(&["Rejected 7 8", "Buried 7 8"]), &dead(&[7])), [""; 0]);
        let redriven = ledger(&["Rejected 7 8", "Buried 7 8", "Redriven 7 8"]);
        assert_eq!(complaints(&redriven, &pending(&[7])), [""; 0]);
        // The outcome is not known yet.
        assert_eq!(complaints(&ledger(&["Offered 8 9"]), &pending(&[7, 8])), [""; 0]);
        assert_eq!(complaints(&ledger(&["Offered 8 9"]), &pending(&[7])), [""; 0]);
    }

    #[test]
    fn each_mistake_is_found_out() {
        let mistakes = [
            (ledger(&[]), pending(&[]), "event 7 was accepted, and is lost"),
            (ledger(&[]), pending(&[7, 8]), "event 8 was never offered"),
            (ledger(&["Refused 7 8"]), pending(&[7]), "event 7 was refused, and is stored"),
            (
                ledger(&["Delivered 7 8", "Settled 7 8"]),
                pending(&[7]),
                "event 7 was settled, and is stored",
            ),
            (
                ledger(&["Delivered 7 8", "Kept 7 8"]),
                pending(&[]),
                "event 7 failed to settle, and is gone",
            ),
            (ledger(&["Buried 7 8"]), pending(&[7]), "event 7 was buried, and is no dead letter"),
            (ledger(&["Changed 7 8"]), pending(&[7]), "event 7 arrived with other bytes"),
            (ledger(&[]), dead(&[7]), "event 7 is a dead letter without a refusal"),
        ];
        for (ledger, found, complaint) in mistakes {
            assert_eq!(complaints(&ledger, &found), [complaint]);
        }
    }
}
