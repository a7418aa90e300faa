//! Events, and what is often done to an outbox.

use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{Lease, Outbox, Verdict};
use intercom_delivery::{DeathReason, EventId};

pub(crate) const TERM: Duration = Duration::from_secs(60);

pub(crate) const NOON: i64 = 1_700_000_000;

/// An event of this name, of one contact, at this second after noon.
pub(crate) fn event(name: &str, second: i64) -> DataEvent {
    let event = DynamicEvent::new(name).unwrap().with("number", second).unwrap();
    DataEvent::new(&event, Contact::user_id(42), Timestamp::from_unix_seconds(NOON + second))
        .unwrap()
}

/// So many events, none of which collides.
pub(crate) fn events(number: i64) -> Vec<DataEvent> {
    (0..number).map(|second| event("project_created", second)).collect()
}

pub(crate) async fn lease(outbox: &dyn Outbox, most: usize) -> Vec<Lease> {
    outbox.lease(most, TERM).await.unwrap().events
}

pub(crate) async fn lease_ids(outbox: &dyn Outbox, most: usize) -> Vec<u64> {
    lease(outbox, most).await.iter().map(|lease| lease.id.0).collect()
}

/// Settles all of them in one way, which must be possible.
pub(crate) async fn settle(outbox: &dyn Outbox, leases: &[Lease], verdict: Verdict) {
    let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(verdict.clone())).collect();
    assert_eq!(outbox.settle(&settlements).await.unwrap(), Vec::<EventId>::new());
}

pub(crate) fn put_back(after: Duration) -> Verdict {
    Verdict::PutBack { after, attempts: 1, failure: None }
}

pub(crate) fn bury(reason: DeathReason) -> Verdict {
    Verdict::Bury { reason, attempts: 1, failure: None }
}
