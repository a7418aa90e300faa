//! Many threads over one outbox in memory.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use futures_util::FutureExt;
use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{
    Counts, DeadLetterReason, Epoch, Lease, MemoryOutbox, Operate, Outbox, Selection,
};

use super::support::{NOON, at, begin, bury, delivered, leased, put_back};

const THREADS: u64 = 4;
const EVENTS: u64 = 2_000;

fn event(user: u64, second: u64) -> DataEvent {
    let event = DynamicEvent::new("project_created").unwrap();
    let second = NOON + second as i64;
    DataEvent::new(&event, Contact::user_id(user), Timestamp::from_unix_seconds(second)).unwrap()
}

fn counts(outbox: &MemoryOutbox) -> Counts {
    outbox.counts().now_or_never().unwrap().unwrap()
}

/// Leases until all events are gone and no more come. Its turn ends now and then.
fn lease_all(outbox: &MemoryOutbox, done: &AtomicBool, leases: &SyncSender<(Epoch, Vec<Lease>)>) {
    let mut turn = begin(outbox);
    for round in 1_u64.. {
        let last = done.load(Ordering::Acquire) && counts(outbox).pending == 0;
        if let Some(leased) = leased(outbox, turn.epoch, 7) {
            leases.send((turn.epoch, leased.events)).unwrap();
        } else if last {
            break;
        } else {
            thread::yield_now();
        }
        if round.is_multiple_of(50) {
            outbox.release(turn.epoch).now_or_never().unwrap().unwrap();
            drop(turn);
            turn = begin(outbox);
        }
    }
}

/// Settles with all verdicts. Late events are leased again.
fn settle_all(outbox: &MemoryOutbox, leases: &Mutex<Receiver<(Epoch, Vec<Lease>)>>) {
    while let Ok((epoch, leases)) = { leases.lock().unwrap().recv() } {
        let settlements = leases.iter().map(|lease| {
            lease.settle(match lease.id.get() % 3 {
                0 if lease.attempts == 0 => put_back(Default::default()),
                1 => bury(DeadLetterReason::Rejected),
                _ => delivered(),
            })
        });
        let settlements: Vec<_> = settlements.collect();
        let settled = outbox.settle(epoch, &settlements, at(0)).now_or_never().unwrap();
        let late = settled.unwrap();
        // The end of an epoch ends all of its leases.
        assert!(late.is_empty() || late.len() == leases.len());
    }
}

#[test]
fn the_counts_are_balanced_at_every_moment() {
    let outbox = MemoryOutbox::new();
    let (all_accepted, all_done) = (AtomicBool::new(false), AtomicBool::new(false));
    // The end of a turn makes all leases in the channel late. Without a bound, a leasing thread
    // could keep the settling ones late for ever.
    let (sender, receiver) = sync_channel(64);
    let receiver = Mutex::new(receiver);
    thread::scope(|scope| {
        let accepting: Vec<_> = (0..THREADS)
            .map(|user| {
                let outbox = &outbox;
                scope.spawn(move || {
                    for second in 0..EVENTS {
                        let event = event(user, second);
                        outbox.accept(&[event]).now_or_never().unwrap().unwrap();
                    }
                })
            })
            .collect();
        let settling: Vec<_> =
            (0..2).map(|_| scope.spawn(|| settle_all(&outbox, &receiver))).collect();
        let leasing = scope.spawn(|| {
            let sender = sender;
            lease_all(&outbox, &all_accepted, &sender);
        });
        scope.spawn(|| {
            let mut before = counts(&outbox);
            while !all_done.load(Ordering::Acquire) {
                let counts = counts(&outbox);
                assert!(counts.is_balanced(), "{counts:?}");
                assert!(counts.accepted >= before.accepted && counts.delivered >= before.delivered);
                assert!(counts.newest >= before.newest);
                assert_eq!(counts.oldest_own.is_some(), counts.pending > 0);
                before = counts;
            }
        });
        accepting.into_iter().for_each(|thread| thread.join().unwrap());
        all_accepted.store(true, Ordering::Release);
        leasing.join().unwrap();
        settling.into_iter().for_each(|thread| thread.join().unwrap());
        all_done.store(true, Ordering::Release);
    });
    let counts = counts(&outbox);
    let dead = (0..THREADS * EVENTS).filter(|id| id % 3 == 1).count() as u64;
    assert_eq!((counts.pending, counts.dead), (0, dead));
    assert_eq!((counts.accepted, counts.delivered), (THREADS * EVENTS, THREADS * EVENTS - dead));
    assert_eq!(outbox.redrive(&Selection::All).now_or_never().unwrap().unwrap(), dead);
}
