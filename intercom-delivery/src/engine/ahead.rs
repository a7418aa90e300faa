//! How many events are leased ahead of the requests that send them, so that no request waits for the outbox.
//!
//! As many as may be under way, for an outbox that answers at once. One that takes its time is asked for twice as many
//! whenever they had all gone before it answered, and earlier the next time; for fewer when it was early. So the number
//! follows how many are sent while the outbox answers, and no clock is needed.

/// How many times more than may be under way are leased ahead at the most: they are in memory, and are given back when
/// nothing can be sent any more.
const MOST: usize = 8;

pub(super) struct Ahead {
    concurrency: usize,
    size: usize,
}

impl Ahead {
    pub(super) fn new(concurrency: usize) -> Self {
        Ahead { concurrency, size: concurrency }
    }

    /// How many to lease when so many more requests could go, and so many events are ready for them.
    pub(super) fn wanted(&self, room: usize, ready: usize) -> usize {
        match ready == 0 && room > 0 || ready < self.low() {
            true => room.saturating_add(self.size).saturating_sub(ready),
            false => 0,
        }
    }

    /// The outbox was waited for, and gave all that it was asked for; so many events were ready still when it did.
    pub(super) fn answered(&mut self, ready: usize) {
        if ready == 0 {
            self.size = self.size.saturating_mul(2).min(self.concurrency.saturating_mul(MOST));
        } else if ready > self.low() / 2 {
            self.size = (self.size / 2).max(self.concurrency);
        }
    }

    /// With fewer than this, more are leased while all requests are under way.
    fn low(&self) -> usize {
        (self.size - self.concurrency) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_that_answers_at_once_is_asked_when_nothing_is_ready() {
        let ahead = Ahead::new(4);
        assert_eq!([ahead.wanted(4, 0), ahead.wanted(1, 0)], [8, 5]);
        assert_eq!([ahead.wanted(0, 0), ahead.wanted(1, 1)], [0, 0]);
    }

    #[test]
    fn one_that_is_waited_for_is_asked_earlier_and_for_more_up_to_a_bound() {
        let mut ahead = Ahead::new(4);
        ahead.answered(0);
        assert_eq!([ahead.wanted(0, 1), ahead.wanted(0, 2)], [7, 0]);
        for _ in 0..10 {
            ahead.answered(0);
        }
        assert_eq!([ahead.wanted(0, 0), ahead.wanted(0, 13), ahead.wanted(0, 14)], [32, 19, 0]);
    }

    #[test]
    fn one_that_is_early_again_is_asked_for_less() {
        let mut ahead = Ahead::new(4);
        ahead.answered(0);
        ahead.answered(0);
        // Just in time.
        ahead.answered(2);
        assert_eq!(ahead.wanted(1, 0), 17);
        ahead.answered(5);
        assert_eq!(ahead.wanted(1, 0), 9);
        ahead.answered(2);
        ahead.answered(1);
        assert_eq!(ahead.wanted(1, 0), 5);
    }
}
