//! Shared parts of the tests of outboxes: events, and a deliverer without a transport. Each
//! function panics if the outbox fails.

use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{
    DeadLetterReason, Epoch, EventId, Failure, Lease, Leased, Outbox, OutboxError, Settlement,
    Slot, Standing, Tenure, Turn, UsedSlot, Verdict,
};
use tokio::task::yield_now;
use tokio::time::timeout;

/// The Unix time, in seconds, from which the tests count.
pub const NOON: i64 = 1_700_000_000;

/// A time before all other times of a test.
pub const EARLY: Timestamp = Timestamp::from_unix_seconds(0);

/// The limit of every wait.
pub const LONG: Duration = Duration::from_secs(30);

/// The limit of rounds until a call has a result.
const ROUNDS: usize = 3;

/// Returns an event with this name, of one contact, at this second after noon.
pub fn event(name: &str, second: i64) -> DataEvent {
    let event = DynamicEvent::new(name).unwrap().with("number", second).unwrap();
    DataEvent::new(&event, Contact::user_id(42), Timestamp::from_unix_seconds(NOON + second))
        .unwrap()
}

/// Returns this many events, each with its own second.
pub fn events(number: i64) -> Vec<DataEvent> {
    (0..number).map(|second| event("project_created", second)).collect()
}

/// Accepts events.
pub async fn accept(outbox: &impl Outbox, events: &[DataEvent]) {
    outbox.accept(events).await.unwrap();
}

/// A deliverer that leases and settles, without a transport.
#[derive(Debug)]
pub struct Engine<O> {
    /// Its handle of the outbox.
    pub outbox: O,
    /// Its turn, which ends when this is dropped.
    pub tenure: Tenure,
}

impl<O: Outbox + Clone> Engine<O> {
    /// Begins to deliver, which must succeed at once.
    pub async fn begin(outbox: &O) -> Self {
        match outbox.lease(Standing::Unknown, 0).await.unwrap() {
            Turn::Began(tenure) => Engine { outbox: outbox.clone(), tenure },
            other => panic!("{other:?}"),
        }
    }

    /// Waits until a standby outbox begins to deliver.
    pub async fn take_over(outbox: &O, standing: Standing) -> Self {
        let mut standing = standing;
        loop {
            match timeout(LONG, outbox.lease(standing, 1)).await.unwrap().unwrap() {
                Turn::Began(tenure) => return Engine { outbox: outbox.clone(), tenure },
                Turn::Standby(standby) => standing = Standing::Standby(standby.epoch),
                Turn::Leased(leased) => panic!("{leased:?}"),
            }
        }
    }

    /// Returns the epoch of its turn.
    pub fn epoch(&self) -> Epoch {
        self.tenure.epoch
    }

    /// Leases the events that are due now, up to the limit.
    pub async fn leased(&self, limit: usize) -> Leased {
        for _ in 0..ROUNDS {
            match turn_now(&self.outbox, Standing::Delivering(self.epoch()), limit).await {
                None => break,
                // The outbox only extends the turn.
                Some(Turn::Leased(leased))
                    if leased.events.is_empty() && leased.tombstones.is_none() => {}
                Some(Turn::Leased(leased)) => return leased,
                Some(other) => panic!("{other:?}"),
            }
        }
        Leased::default()
    }

    /// Leases the events that are due now, up to the limit.
    pub async fn lease(&self, limit: usize) -> Vec<Lease> {
        self.leased(limit).await.events
    }

    /// Leases the events that are due now, up to the limit, and returns their ids.
    pub async fn lease_ids(&self, limit: usize) -> Vec<u64> {
        self.lease(limit).await.iter().map(|lease| lease.id.get()).collect()
    }

    /// Leases all events that are due now, however many calls it takes.
    pub async fn lease_all(&self) -> Vec<Lease> {
        let mut all = Vec::new();
        loop {
            let leases = self.lease(100).await;
            if leases.is_empty() {
                return all;
            }
            all.extend(leases);
        }
    }

    /// Leases all events that are due now, and returns their ids.
    pub async fn all_ids(&self) -> Vec<u64> {
        self.lease_all().await.iter().map(|lease| lease.id.get()).collect()
    }

    /// Settles these leases, and returns those that came too late.
    ///
    /// # Errors
    ///
    /// Fails when the outbox fails.
    pub async fn try_settle(
        &self,
        settlements: &[Settlement],
    ) -> Result<Vec<EventId>, OutboxError> {
        self.outbox.settle(self.epoch(), settlements, EARLY).await
    }

    /// Settles all leases with one verdict, which must succeed.
    pub async fn settle(&self, leases: &[Lease], verdict: impl Fn(&Lease) -> Verdict) {
        let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(verdict(lease))).collect();
        assert_eq!(self.try_settle(&settlements).await.unwrap(), []);
    }

    /// Leases and delivers this many events.
    pub async fn deliver(&self, limit: usize) {
        let leases = self.lease(limit).await;
        self.settle(&leases, delivered).await;
    }
}

/// Returns the result of `lease` if it has one without waiting.
pub async fn turn_now<O: Outbox>(outbox: &O, standing: Standing, limit: usize) -> Option<Turn> {
    let mut lease = pin!(outbox.lease(standing, limit));
    // An outbox answers a settlement after earlier leases. No turn has this epoch, so the
    // settlement changes nothing.
    let other = Epoch::new(u64::MAX);
    tokio::select! {
        biased;
        turn = &mut lease => return Some(turn.unwrap()),
        () = async {
            for _ in 0..ROUNDS {
                yield_now().await;
                outbox.settle(other, &[], EARLY).await.unwrap();
            }
            yield_now().await;
        } => {}
    }
    tokio::select! {
        biased;
        turn = lease => Some(turn.unwrap()),
        () = ready(()) => None,
    }
}

/// Returns the slot of an event, kept until two minutes after noon.
pub fn used(event: &DataEvent) -> UsedSlot {
    UsedSlot::new(Slot::of(event), Timestamp::from_unix_seconds(NOON + 120))
}

/// Returns the verdict on an event that Intercom accepted.
pub fn delivered(lease: &Lease) -> Verdict {
    Verdict::Delivered { used: used(&lease.event) }
}

/// Returns the verdict on an event that Intercom refused.
pub fn bury(reason: DeadLetterReason) -> impl Fn(&Lease) -> Verdict {
    move |_| Verdict::Bury { reason, attempts: 1, failure: None, used: None }
}

/// Returns the verdict on an event that Intercom did not answer.
pub fn put_back(after: Duration) -> impl Fn(&Lease) -> Verdict {
    let failure = Failure::new("it did not answer");
    move |_| Verdict::PutBack { after, attempts: 1, failure: Some(failure.clone()) }
}
