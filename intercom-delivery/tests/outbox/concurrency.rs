//! Many threads at one outbox in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::FutureExt;
use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{Collisions, Outbox, Verdict};
use intercom_delivery::{DeathReason, MemoryOutbox, Selection};

use super::support::{NOON, TERM, bury};

const THREADS: u64 = 4;
const EVENTS: u64 = 2_000;

fn event(user: u64, second: u64) -> DataEvent {
    let event = DynamicEvent::new("project_created").unwrap();
    let second = NOON + second as i64;
    DataEvent::new(&event, Contact::user_id(user), Timestamp::from_unix_seconds(second)).unwrap()
}

/// Leases and settles in every way, until nothing is left and nothing more comes.
fn deliver(outbox: &MemoryOutbox, all_accepted: &AtomicBool) {
    loop {
        let last = all_accepted.load(Ordering::Acquire);
        let leased = outbox.lease(7, TERM).now_or_never().unwrap().unwrap().events;
        let nothing = leased.is_empty();
        let settlements = leased.iter().map(|lease| {
            lease.settle(match lease.id.0 % 3 {
                0 if lease.attempts == 0 => super::support::put_back(Default::default()),
                1 => bury(DeathReason::Rejected),
                _ => Verdict::Acknowledge,
            })
        });
        let settlements: Vec<_> = settlements.collect();
        assert_eq!(outbox.settle(&settlements).now_or_never().unwrap().unwrap(), []);
        if nothing && last {
            break;
        }
    }
}

#[test]
fn the_books_are_balanced_at_every_moment() {
    let outbox = MemoryOutbox::new();
    let (all_accepted, all_done) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let accepting: Vec<_> = (0..THREADS)
            .map(|user| {
                let outbox = &outbox;
                scope.spawn(move || {
                    for second in 0..EVENTS {
                        outbox.try_accept(event(user, second), Collisions::Move).unwrap();
                    }
                })
            })
            .collect();
        let delivering: Vec<_> =
            (0..2).map(|_| scope.spawn(|| deliver(&outbox, &all_accepted))).collect();
        scope.spawn(|| {
            let mut before = outbox.counts();
            while !all_done.load(Ordering::Acquire) {
                let counts = outbox.counts();
                assert!(counts.is_balanced(), "{counts:?}");
                assert!(counts.accepted >= before.accepted && counts.delivered >= before.delivered);
                assert!(counts.newest >= before.newest);
                assert_eq!(counts.oldest_pending.is_some(), counts.pending > 0);
                before = counts;
            }
        });
        accepting.into_iter().for_each(|thread| thread.join().unwrap());
        all_accepted.store(true, Ordering::Release);
        delivering.into_iter().for_each(|thread| thread.join().unwrap());
        all_done.store(true, Ordering::Release);
    });
    let counts = outbox.counts();
    let dead = (0..THREADS * EVENTS).filter(|id| id % 3 == 1).count() as u64;
    assert_eq!((counts.pending, counts.moved, counts.dead), (0, 0, dead));
    assert_eq!((counts.accepted, counts.delivered), (THREADS * EVENTS, THREADS * EVENTS - dead));
    assert_eq!(outbox.redrive(&Selection::All).now_or_never().unwrap().unwrap(), dead);
}
