//! An outbox of your own.
//!
//! It keeps events in a `BTreeMap`. Your own store keeps them elsewhere: each method of `State` becomes one
//! transaction, and `changed` becomes what your store tells other processes. `tests/conformance.rs` proves that it
//! keeps the promises of [`Outbox`]: `cargo test -p own-outbox`.
//!
//! ```
//! use std::time::Duration;
//! use intercom_core::testing::RecordingTransport;
//! use intercom_core::{Contact, DynamicEvent};
//! use intercom_delivery::Delivery;
//! use own_outbox::OwnOutbox;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = RecordingTransport::new();
//! let delivery = Delivery::builder(transport.clone()).outbox(OwnOutbox::new()).start()?;
//! let event = DynamicEvent::new("project_created")?;
//! delivery.tracker().for_contact(Contact::user_id(7)).send(&event).await?;
//! delivery.shutdown(Duration::from_secs(5)).await;
//! assert_eq!(transport.events().len(), 1);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use intercom_core::{Contact, DataEvent, Timestamp, async_trait};
use intercom_delivery::outbox::{
    AcceptError, Admission, Counts, DeadLetter, DeadLetterReason, Epoch, ErasedEvents, EventId,
    Failure, Lease, Leased, MAX_WAIT, Operate, Outbox, OutboxError, Ruling, Selection, Settlement,
    Slot, Stage, Standby, Standing, Tenure, Tombstone, Tombstones, Turn, UsedSlot, Verdict,
    share_identifier,
};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// An outbox in memory, without bounds.
#[derive(Default)]
pub struct OwnOutbox {
    store: Arc<Store>,
}

impl OwnOutbox {
    /// Creates an empty outbox.
    pub fn new() -> Self {
        OwnOutbox::default()
    }

    /// Changes the state, and wakes the calls of `lease` that wait.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.store.state());
        self.store.changed.notify_waiters();
        changed
    }
}

#[derive(Default)]
struct Store {
    state: Mutex<State>,
    changed: Notify,
}

impl Store {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the turn when the engine drops its tenure.
struct Guard {
    store: Arc<Store>,
    epoch: Epoch,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.store.state().end(self.epoch);
        self.store.changed.notify_waiters();
    }
}

struct State {
    pending: BTreeMap<EventId, Pending>,
    dead: BTreeMap<EventId, Dead>,
    used: Vec<UsedSlot>,
    /// The key of this store's tombstones.
    key: [u8; 16],
    erased: HashSet<Tombstone>,
    /// How often `erased` changed, and how often when the engine that delivers last heard of it.
    version: u64,
    told: u64,
    epochs: u64,
    /// The turn of the engine that delivers.
    turn: Option<Standby>,
    ids: u64,
    /// Those numbers that no map holds.
    counts: Counts,
}

struct Pending {
    event: DataEvent,
    stage: Stage,
    attempts: u32,
    last_failure: Option<Arc<Failure>>,
    accepted: Instant,
    due: Instant,
    leased: bool,
}

struct Dead {
    letter: DeadLetter,
    /// Whether Intercom may have the event.
    arrived: bool,
}

impl Default for State {
    fn default() -> Self {
        let random = [0, 1].map(|half| RandomState::new().hash_one(half));
        State {
            pending: BTreeMap::new(),
            dead: BTreeMap::new(),
            used: Vec::new(),
            key: u128::from(random[0]).rotate_left(64).wrapping_add(random[1].into()).to_ne_bytes(),
            erased: HashSet::new(),
            version: 0,
            told: 0,
            epochs: 0,
            turn: None,
            ids: 0,
            counts: Counts::default(),
        }
    }
}

impl State {
    fn accept(&mut self, event: DataEvent, stage: Stage) {
        self.ids += 1;
        self.hold(EventId::new(self.ids), event, stage);
    }

    fn hold(&mut self, id: EventId, event: DataEvent, stage: Stage) {
        let now = Instant::now();
        let (accepted, due) = (now, now);
        let (attempts, last_failure, leased) = (0, None, false);
        let pending = Pending { event, stage, attempts, last_failure, accepted, due, leased };
        self.pending.insert(id, pending);
    }

    /// Gives the engine in this standing its turn, or says until when it must wait.
    fn lease(&mut self, store: &Arc<Store>, standing: Standing, limit: usize) -> Next {
        let Some(turn) = &self.turn else { return Next::Turn(Turn::Began(self.begin(store))) };
        match standing {
            Standing::Delivering(epoch) if epoch == turn.epoch => self.lease_due(limit),
            Standing::Standby(epoch) if epoch == turn.epoch => Next::Wait(None),
            _ => Next::Turn(Turn::Standby(turn.clone())),
        }
    }

    fn begin(&mut self, store: &Arc<Store>) -> Tenure {
        self.epochs += 1;
        let (epoch, since) = (Epoch::new(self.epochs), SystemTime::now());
        self.turn = Some(Standby::new(epoch, "another delivery of this process", since));
        let held = self.pending.values().filter(|pending| !pending.stage.is_new());
        let held = held.map(|pending| Slot::of(&pending.event)).collect();
        let arrived = self.dead.values().filter(|dead| dead.arrived);
        let dead = arrived.map(|dead| Slot::of(&dead.letter.event));
        let dead = dead.map(|slot| UsedSlot::new(slot, UsedSlot::WHILE_DEAD));
        let used = self.used.iter().copied().chain(dead).collect();
        Tenure::new(epoch, since, Guard { store: store.clone(), epoch })
            .with_held(held)
            .with_used(used)
            .with_tombstones(self.tell())
    }

    fn lease_due(&mut self, limit: usize) -> Next {
        let now = Instant::now();
        let waiting = self.pending.iter().filter(|(_, pending)| !pending.leased);
        let mut due: Vec<_> = waiting.map(|(id, pending)| (pending.due, *id)).collect();
        due.sort_unstable();
        let next = due.first().map(|(at, _)| *at).filter(|_| limit > 0);
        let leases: Vec<_> = due.into_iter().filter(|(at, _)| *at <= now).take(limit).collect();
        let has_news = self.told != self.version;
        if leases.is_empty() && !has_news {
            return Next::Wait(next);
        }
        let leases = leases.into_iter().filter_map(|(_, id)| self.lease_one(id, now)).collect();
        let new = self.pending.values().filter(|pending| pending.stage.is_new());
        let earliest_new = new.map(|pending| pending.event.created_at()).min();
        let leased = Leased::new(leases, self.pending.len() as u64, earliest_new);
        Next::Turn(Turn::Leased(leased.with_tombstones(has_news.then(|| self.tell()))))
    }

    fn lease_one(&mut self, id: EventId, now: Instant) -> Option<Lease> {
        let pending = self.pending.get_mut(&id)?;
        pending.leased = true;
        let lease = Lease::new(id, pending.event.clone(), pending.stage)
            .with_attempts(pending.attempts)
            .with_last_failure(pending.last_failure.clone())
            .with_age(now - pending.accepted);
        Some(lease)
    }

    /// Ends this turn. All leased events are due again.
    fn end(&mut self, epoch: Epoch) {
        if self.delivers(epoch) {
            self.turn = None;
            self.pending.values_mut().for_each(|pending| pending.leased = false);
        }
    }

    fn delivers(&self, epoch: Epoch) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.epoch == epoch)
    }

    /// Returns the event, if this epoch has a lease of it.
    fn leased(&mut self, epoch: Epoch, id: EventId) -> Option<&mut Pending> {
        let delivers = self.delivers(epoch);
        self.pending.get_mut(&id).filter(|pending| delivers && pending.leased)
    }

    /// Stores an admission. Returns `None` if this epoch has no lease of the event.
    fn admit(&mut self, epoch: Epoch, admission: &Admission) -> Option<()> {
        let pending = self.leased(epoch, admission.id)?;
        match &admission.ruling {
            Ruling::Keep { collides } => {
                pending.stage = Stage::Admitted;
                self.counts.collided += u64::from(*collides);
            }
            Ruling::Replace { event, moved, collides } => {
                pending.stage = Stage::Admitted;
                pending.event = event.clone();
                self.counts.moved += u64::from(*moved);
                self.counts.collided += u64::from(*collides);
            }
            Ruling::Defer { after } => pending.put_back(*after),
            Ruling::Withhold => {
                self.pending.remove(&admission.id);
                self.counts.withheld += 1;
            }
            Ruling::Drop => {
                self.pending.remove(&admission.id);
                self.counts.dropped += 1;
            }
        }
        for event in &admission.derived {
            self.accept(event.clone(), Stage::Derived);
            self.counts.derived += 1;
        }
        Some(())
    }

    /// Stores a settlement. Returns `None` if this epoch has no lease of the event.
    fn settle(&mut self, epoch: Epoch, settlement: &Settlement) -> Option<()> {
        let pending = self.leased(epoch, settlement.id)?;
        match &settlement.verdict {
            Verdict::Delivered { used } => {
                self.pending.remove(&settlement.id);
                self.counts.delivered += 1;
                self.used.push(*used);
            }
            Verdict::PutBack { after, attempts, failure } => {
                pending.stage = Stage::Admitted;
                pending.attempts = *attempts;
                if let Some(failure) = failure {
                    pending.last_failure = Some(Arc::new(failure.clone()));
                }
                pending.put_back(*after);
            }
            Verdict::Bury { reason, attempts, failure, used } => {
                let pending = self.pending.remove(&settlement.id)?;
                let (id, event) = (settlement.id, pending.event);
                let letter = DeadLetter::new(id, event, *reason, SystemTime::now())
                    .with_failure(failure.clone())
                    .with_attempts(*attempts);
                self.dead.insert(id, Dead { letter, arrived: used.is_some() });
                self.counts.dead += 1;
                self.used.extend(*used);
            }
        }
        Some(())
    }

    fn redrive(&mut self, which: &Selection) -> u64 {
        let chosen = self.dead.extract_if(.., |_, dead| which.contains(&dead.letter));
        let chosen: Vec<_> = chosen.collect();
        let number = chosen.len() as u64;
        for (id, Dead { letter, arrived }) in chosen {
            self.hold(id, letter.event, if arrived { Stage::Admitted } else { Stage::Redriven });
        }
        self.counts.dead -= number;
        number
    }

    fn purge(&mut self, which: &Selection) -> u64 {
        let number = self.dead.extract_if(.., |_, dead| which.contains(&dead.letter)).count();
        self.counts.purged += number as u64;
        number as u64
    }

    fn bury(&mut self, which: &Selection) -> u64 {
        let chosen = |id: &EventId, held: &mut Pending| which.contains_pending(*id, &held.event);
        let chosen: Vec<_> = self.pending.extract_if(.., chosen).collect();
        let number = chosen.len() as u64;
        for (id, pending) in chosen {
            let arrived = pending.leased || pending.stage == Stage::Admitted;
            let (reason, now) = (DeadLetterReason::Buried, SystemTime::now());
            let letter = DeadLetter::new(id, pending.event, reason, now)
                .with_failure(pending.last_failure.as_deref().cloned())
                .with_attempts(pending.attempts);
            self.dead.insert(id, Dead { letter, arrived });
        }
        self.counts.dead += number;
        number
    }

    fn erase(&mut self, contact: &Contact) -> ErasedEvents {
        let is_theirs = |event: &DataEvent| share_identifier(contact, event.contact());
        let pending = self.pending.extract_if(.., |_, held| is_theirs(&held.event)).count() as u64;
        let dead = self.dead.extract_if(.., |_, dead| is_theirs(&dead.letter.event));
        let dead = dead.count() as u64;
        self.counts.dead -= dead;
        self.counts.erased += pending + dead;
        self.erased.extend(Tombstone::of(&self.key, contact));
        self.version += 1;
        ErasedEvents::new(pending, dead, self.version)
    }

    fn forgive(&mut self, contact: &Contact) -> bool {
        let tombstones = Tombstone::of(&self.key, contact);
        let number = self.erased.len();
        self.erased.retain(|tombstone| !tombstones.contains(tombstone));
        let forgiven = self.erased.len() < number;
        self.version += u64::from(forgiven);
        forgiven
    }

    /// Returns all tombstones for the engine that delivers, and notes that it has them.
    fn tell(&mut self) -> Arc<Tombstones> {
        self.told = self.version;
        Arc::new(Tombstones::new(self.key, self.version, self.erased.iter().copied()))
    }

    fn counts(&self) -> Counts {
        let mut counts = self.counts;
        counts.pending = self.pending.len() as u64;
        counts.dead_letters = self.dead.len() as u64;
        counts.newest = (self.ids > 0).then_some(EventId::new(self.ids));
        let oldest = self.pending.first_key_value();
        counts.oldest_own = oldest.map(|(id, _)| *id);
        counts.oldest_pending = oldest.map(|(_, pending)| pending.accepted.elapsed());
        counts
    }
}

impl Pending {
    fn put_back(&mut self, after: Duration) {
        self.leased = false;
        self.due = Instant::now() + after.min(MAX_WAIT);
    }
}

enum Next {
    Turn(Turn),
    /// Until something changes, and no longer than until then.
    Wait(Option<Instant>),
}

#[async_trait]
impl Outbox for OwnOutbox {
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        self.change(|state| {
            events.iter().for_each(|event| state.accept(event.clone(), Stage::New));
            state.counts.accepted += events.len() as u64;
        });
        Ok(())
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        loop {
            // Listens before it reads the state, so that it misses no change in between.
            let changed = self.store.changed.notified();
            let next = self.store.state().lease(&self.store, standing, limit);
            match next {
                Next::Turn(turn) => return Ok(turn),
                Next::Wait(None) => changed.await,
                Next::Wait(Some(due)) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(due) => {}
                },
            }
        }
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        Ok(self.change(|state| {
            let late = admissions.iter().filter(|one| state.admit(epoch, one).is_none());
            late.map(|admission| admission.id).collect()
        }))
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        Ok(self.change(|state| {
            let late = settlements.iter().filter(|one| state.settle(epoch, one).is_none());
            let late = late.map(|settlement| settlement.id).collect();
            if state.delivers(epoch) {
                state.used.retain(|used| used.keep_until >= forget_before);
            }
            late
        }))
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        self.change(|state| state.end(epoch));
        Ok(())
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        Ok(self.store.state().counts())
    }
}

#[async_trait]
impl Operate for OwnOutbox {
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let state = self.store.state();
        let later = state.dead.iter().filter(|(id, _)| Some(**id) > after).take(limit);
        Ok(later.map(|(_, dead)| dead.letter.clone()).collect())
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        Ok(self.change(|state| state.redrive(which)))
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        Ok(self.change(|state| state.purge(which)))
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        Ok(self.change(|state| state.bury(which)))
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        Ok(self.change(|state| state.erase(contact)))
    }

    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        Ok(self.change(|state| state.forgive(contact)))
    }
}
