//! Gaps: passed ids whose events may still become visible.
//!
//! A transaction takes its own id first, then the ids of its events, and commits at any later time.
//! So an event can become visible after others with higher ids. The deliverer remembers a missing
//! id, together with the id of a transaction that began after it saw the gap. Once all transactions
//! up to that one have ended, an event that is still missing was rolled back, and never comes.

use std::ops::RangeInclusive;

/// Ranges of missing ids, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps(Vec<Gap>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Gap {
    ids: RangeInclusive<i64>,
    /// A transaction that began after the deliverer saw the gap, if known.
    horizon: Option<i64>,
}

impl Gaps {
    /// Creates gaps from their positions.
    pub(super) fn load(from: &[i64], to: &[i64]) -> Self {
        let ranges = from.iter().zip(to).map(|(from, to)| *from..=*to);
        Gaps(ranges.map(|ids| Gap { ids, horizon: None }).collect())
    }

    /// Returns a single gap of all ids up to this one.
    pub(super) fn up_to(last: i64) -> Self {
        let mut gaps = Gaps::default();
        gaps.pass(0, last + 1);
        gaps
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the ids between a passed id and the next visible one.
    pub(super) fn pass(&mut self, passed: i64, next: i64) {
        if passed + 1 < next {
            self.0.push(Gap { ids: passed + 1..=next - 1, horizon: None });
        }
    }

    /// Removes the id of a found event.
    pub(super) fn fill(&mut self, id: i64) {
        let Some(at) = self.0.iter().position(|gap| gap.ids.contains(&id)) else { return };
        let Gap { ids, horizon } = self.0.remove(at);
        let parts = [*ids.start()..=id - 1, id + 1..=*ids.end()];
        let parts = parts.into_iter().filter(|ids| !ids.is_empty());
        self.0.splice(at..at, parts.map(|ids| Gap { ids, horizon }));
    }

    /// Returns the gaps with these ids added.
    pub(super) fn with(&self, ids: impl Iterator<Item = i64>) -> Self {
        let ids = ids.map(|id| Gap { ids: id..=id, horizon: None });
        Gaps(self.0.iter().cloned().chain(ids).collect())
    }

    /// Sets the transaction of the gaps without one.
    pub(super) fn seen(&mut self, transaction: i64) {
        for gap in &mut self.0 {
            gap.horizon.get_or_insert(transaction);
        }
    }

    /// Drops the gaps that no event can fill. The deliverer has looked for all of them in a
    /// snapshot in which every transaction before `oldest` had ended.
    pub(super) fn drop_before(&mut self, oldest: i64) {
        self.0.retain(|gap| gap.horizon.is_none_or(|horizon| horizon >= oldest));
    }

    /// Returns the bounds of the ranges, for the row.
    pub(super) fn bounds(&self) -> (Vec<i64>, Vec<i64>) {
        self.0.iter().map(|gap| (*gap.ids.start(), *gap.ids.end())).unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_ids_between_two_ids_are_a_gap() {
        let mut gaps = Gaps::default();
        gaps.pass(0, 1);
        assert!(gaps.is_empty());
        gaps.pass(1, 5);
        gaps.pass(5, 7);
        assert_eq!(gaps.bounds(), (vec![2, 6], vec![4, 6]));
    }

    #[test]
    fn a_gap_that_is_filled_leaves_what_is_on_both_sides() {
        let mut gaps = Gaps::load(&[2, 10], &[6, 10]);
        gaps.fill(4);
        assert_eq!(gaps.bounds(), (vec![2, 5, 10], vec![3, 6, 10]));
        gaps.fill(10);
        gaps.fill(2);
        gaps.fill(3);
        gaps.fill(99);
        assert_eq!(gaps.bounds(), (vec![5], vec![6]));
    }

    #[test]
    fn a_gap_is_dropped_when_all_transactions_have_ended_that_may_fill_it() {
        let mut gaps = Gaps::load(&[2], &[4]);
        // No transaction is known for this gap.
        gaps.drop_before(1_000);
        assert!(!gaps.is_empty());
        gaps.seen(70);
        gaps.pass(8, 10);
        gaps.seen(90);
        gaps.drop_before(70);
        assert_eq!(gaps.bounds(), (vec![2, 9], vec![4, 9]));
        gaps.drop_before(71);
        assert_eq!(gaps.bounds(), (vec![9], vec![9]));
        // A part of a gap keeps the transaction of the whole.
        gaps.pass(20, 24);
        gaps.seen(95);
        gaps.fill(22);
        gaps.drop_before(96);
        assert!(gaps.is_empty());
    }
}
