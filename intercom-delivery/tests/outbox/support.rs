//! Events, and common operations on an outbox.

use std::time::Duration;

use futures_util::FutureExt;
use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{
    DeadLetterReason, Epoch, EventId, Lease, Leased, Outbox, Slot, Standing, Tenure, Turn,
    UsedSlot, Verdict,
};

pub(crate) const NOON: i64 = 1_700_000_000;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(NOON + second)
}

/// Makes an event with this name, of one contact, at this second after noon.
pub(crate) fn event(name: &str, second: i64) -> DataEvent {
    let event = DynamicEvent::new(name).unwrap().with("number", second).unwrap();
    DataEvent::new(&event, Contact::user_id(42), at(second)).unwrap()
}

/// Makes this many events, each in another second.
pub(crate) fn events(number: i64) -> Vec<DataEvent> {
    (0..number).map(|second| event("project_created", second)).collect()
}

/// Begins a turn, which must succeed at once.
pub(crate) fn begin(outbox: &dyn Outbox) -> Tenure {
    match outbox.lease(Standing::Unknown, 9).now_or_never() {
        Some(Ok(Turn::Began(tenure))) => tenure,
        other => panic!("{other:?}"),
    }
}

/// Returns the due events, or `None` if the lease waits.
pub(crate) fn leased(outbox: &dyn Outbox, epoch: Epoch, limit: usize) -> Option<Leased> {
    match outbox.lease(Standing::Delivering(epoch), limit).now_or_never()? {
        Ok(Turn::Leased(leased)) => Some(leased),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn lease(outbox: &dyn Outbox, epoch: Epoch, limit: usize) -> Vec<Lease> {
    leased(outbox, epoch, limit).unwrap_or_default().events
}

pub(crate) fn lease_ids(outbox: &dyn Outbox, epoch: Epoch, limit: usize) -> Vec<u64> {
    lease(outbox, epoch, limit).iter().map(|lease| lease.id.get()).collect()
}

/// Settles all leases with one verdict, which must succeed.
pub(crate) fn settle(outbox: &dyn Outbox, epoch: Epoch, leases: &[Lease], verdict: Verdict) {
    let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(verdict.clone())).collect();
    let late = outbox.settle(epoch, &settlements, at(0)).now_or_never().unwrap();
    assert_eq!(late.unwrap(), Vec::<EventId>::new());
}

pub(crate) fn delivered() -> Verdict {
    let slot = Slot::of(&event("project_created", 0));
    Verdict::Delivered { used: UsedSlot::new(slot, at(0)) }
}

pub(crate) fn put_back(after: Duration) -> Verdict {
    Verdict::PutBack { after, attempts: 1, failure: None }
}

pub(crate) fn bury(reason: DeadLetterReason) -> Verdict {
    Verdict::Bury { reason, attempts: 1, failure: None, used: None }
}
