//! The outbox in memory: bounded and fast. It ends with the process.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use intercom_core::{Contact, DataEvent, Timestamp, async_trait};
use tokio::sync::{Mutex as TurnLock, Notify, OwnedMutexGuard};
use tokio::time::{Instant, sleep_until};

use super::{
    AcceptError, Admission, Counts, DeadLetter, DeadLetterReason, Epoch, ErasedEvents, EventId,
    Failure, Lease, Leased, Operate, Outbox, OutboxError, Ruling, Selection, Settlement, Slot,
    Stage, Standby, Standing, Tenure, Tombstone, Tombstones, Turn, UsedSlot, Verdict,
    share_identifier,
};
use crate::time::later;

/// How many events a [`MemoryOutbox`] holds by default.
pub(crate) const DEFAULT_CAPACITY: usize = 100_000;

/// How many bytes the bodies in a [`MemoryOutbox`] may have together by default: 256 MiB.
pub(crate) const DEFAULT_MAX_BYTES: usize = 256 << 20;

/// How many dead letters a [`MemoryOutbox`] keeps by default.
pub(crate) const DEFAULT_DEAD_LETTERS: usize = 10_000;

/// Holds events in memory, up to a bound. The end of the process loses pending events.
///
/// When it is full, it accepts nothing more, and never drops a pending event. Dead letters have a
/// limit of their own: beyond it, the outbox purges and counts the oldest. Redriving never fails
/// for lack of room.
///
/// ```
/// use intercom_delivery::MemoryOutbox;
///
/// let outbox = MemoryOutbox::new().capacity(1_000_000).max_bytes(1 << 30);
/// ```
pub struct MemoryOutbox {
    capacity: usize,
    max_bytes: usize,
    max_dead_letters: usize,
    state: Mutex<MemoryState>,
    /// Wakes the engine that delivers: an event became due.
    due: Notify,
    /// Held by the engine that delivers.
    turn: Arc<TurnLock<()>>,
}

impl MemoryOutbox {
    /// Makes an empty outbox with the default bounds.
    pub fn new() -> Self {
        MemoryOutbox {
            capacity: DEFAULT_CAPACITY,
            max_bytes: DEFAULT_MAX_BYTES,
            max_dead_letters: DEFAULT_DEAD_LETTERS,
            state: Mutex::default(),
            due: Notify::new(),
            turn: Arc::default(),
        }
    }

    /// Sets how many events it holds, leased ones included. The default is
    /// 100,000.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// Sets how many bytes the bodies of its events may have together. The default is 256 MiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many dead letters it keeps. The default is 10,000.
    #[must_use]
    pub fn max_dead_letters(mut self, letters: usize) -> Self {
        self.max_dead_letters = letters;
        self
    }

    /// Accepts one event without waiting. Takes it only if there is room.
    pub(crate) fn try_accept(&self, event: &mut Option<DataEvent>) -> Result<(), AcceptError> {
        let bytes = event.as_ref().map_or(0, |event| event.body().len());
        let now = Instant::now();
        let mut state = self.state();
        self.expect_room(&state, 1, bytes)?;
        if let Some(event) = event.take() {
            state.accept(event, Stage::New, now);
            state.counts.accepted += 1;
        }
        drop(state);
        self.due.notify_one();
        Ok(())
    }

    /// Accepts events without waiting, all of them or none.
    pub(crate) fn try_accept_all(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        let bytes = events.iter().map(|event| event.body().len()).sum();
        let now = Instant::now();
        let mut state = self.state();
        self.expect_room(&state, events.len(), bytes)?;
        for event in events {
            state.accept(event.clone(), Stage::New, now);
        }
        state.counts.accepted += events.len() as u64;
        drop(state);
        self.due.notify_one();
        Ok(())
    }

    /// No operation leaves the state half changed, so it is valid even after a panic.
    fn state(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lease(&self, standing: Standing, limit: usize) -> Next {
        let mut state = self.state();
        let present = state.present(standing);
        if let Present::Mine = present {
            let (events, next_due) = state.lease(limit, Instant::now());
            let tombstones = state.tombstones.news();
            if events.is_empty() && tombstones.is_none() {
                return Next::WaitForEvent(next_due.filter(|_| limit > 0));
            }
            return Next::Turn(Turn::Leased(Leased {
                events,
                pending: state.pending() as u64,
                earliest_new: state.earliest_new(),
                valid_for: None,
                tombstones,
            }));
        }
        match (self.turn.clone().try_lock_owned(), present) {
            (Ok(guard), _) => Next::Turn(Turn::Began(state.begin(guard))),
            (Err(_), Present::News(standby)) => Next::Turn(Turn::Standby(standby)),
            (Err(_), _) => Next::WaitForTurn,
        }
    }

    fn expect_room(
        &self,
        state: &MemoryState,
        events: usize,
        bytes: usize,
    ) -> Result<(), AcceptError> {
        if events > self.capacity || bytes > self.max_bytes {
            return Err(AcceptError::ExceedsCapacity);
        }
        // Redriven letters may exceed the capacity.
        let has_room = events <= self.capacity.saturating_sub(state.pending())
            && bytes <= self.max_bytes.saturating_sub(state.bytes);
        if has_room { Ok(()) } else { Err(AcceptError::Full) }
    }
}

impl Default for MemoryOutbox {
    fn default() -> Self {
        MemoryOutbox::new()
    }
}

impl fmt::Debug for MemoryOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOutbox")
            .field("capacity", &self.capacity)
            .field("max_bytes", &self.max_bytes)
            .field("max_dead_letters", &self.max_dead_letters)
            .field("counts", &self.state().counts())
            .finish()
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl Outbox for MemoryOutbox {
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        self.try_accept_all(events)
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        loop {
            match self.try_lease(standing, limit) {
                Next::Turn(turn) => return Ok(turn),
                Next::WaitForTurn => {
                    let guard = self.turn.clone().lock_owned().await;
                    return Ok(Turn::Began(self.state().begin(guard)));
                }
                Next::WaitForEvent(Some(due)) => tokio::select! {
                    () = self.due.notified() => {}
                    () = sleep_until(due) => {}
                },
                Next::WaitForEvent(None) => self.due.notified().await,
            }
        }
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        let now = Instant::now();
        let mut state = self.state();
        let late = |admission: &&Admission| !state.admit(epoch, admission, now);
        let late = admissions.iter().filter(late).map(|admission| admission.id).collect();
        drop(state);
        let is_due =
            |one: &Admission| !one.derived.is_empty() || matches!(one.ruling, Ruling::Defer { .. });
        if admissions.iter().any(is_due) {
            self.due.notify_one();
        }
        Ok(late)
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let now = Instant::now();
        let mut state = self.state();
        let late = |settlement: &&Settlement| !state.settle(epoch, settlement, now);
        let late = settlements.iter().filter(late).map(|settlement| settlement.id).collect();
        while state.dead.len() > self.max_dead_letters {
            state.purge_oldest();
        }
        if state.is_present(epoch)
            && state.used.first_key_value().is_some_and(|(until, _)| *until < forget_before)
        {
            state.used = state.used.split_off(&forget_before);
        }
        drop(state);
        let is_put_back = |one: &Settlement| matches!(one.verdict, Verdict::PutBack { .. });
        if settlements.iter().any(is_put_back) {
            self.due.notify_one();
        }
        Ok(late)
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        let mut state = self.state();
        if state.is_present(epoch) {
            state.turn = None;
            state.take_back();
            // The engine may still keep the tenure, which also holds the lock.
            if let Some(hold) = state.hold.take() {
                hold.let_go();
            }
        }
        Ok(())
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        Ok(self.state().counts())
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl Operate for MemoryOutbox {
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = after.map_or(Unbounded, Excluded);
        let state = self.state();
        let letters = state.dead.range((after, Unbounded)).map(|(_, dead)| dead.letter.clone());
        Ok(letters.take(limit).collect())
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let redriven = self.state().redrive(which, Instant::now());
        self.due.notify_one();
        Ok(redriven)
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        let mut state = self.state();
        let purged = state.take_dead(which).len() as u64;
        state.purged += purged;
        Ok(purged)
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        let mut state = self.state();
        let buried = state.bury_pending(which);
        while state.dead.len() > self.max_dead_letters {
            state.purge_oldest();
        }
        Ok(buried)
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        let erased = self.state().erase(contact);
        self.due.notify_one();
        Ok(erased)
    }

    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        let forgiven = self.state().tombstones.forgive(contact);
        self.due.notify_one();
        Ok(forgiven)
    }
}

#[derive(Default)]
struct MemoryState {
    /// New events without a lease under this epoch, in the order of their ids.
    fresh: VecDeque<HeldEvent>,
    /// The number of these and of the deferred or redriven events in each second.
    new_seconds: BTreeMap<Timestamp, usize>,
    /// The other pending events: leased, put back or redriven.
    held: BTreeMap<EventId, HeldEvent>,
    /// The unleased ones of these, by their due times.
    due: BTreeSet<(Instant, EventId)>,
    dead: BTreeMap<EventId, Dead>,
    /// The dead letters in the order of their burials.
    graves: BTreeMap<u64, EventId>,
    /// The slots of sent events.
    used: BTreeMap<Timestamp, Vec<Slot>>,
    tombstones: ErasedContacts,
    /// The turn of the engine that delivers.
    turn: Option<Standby>,
    /// The tenure of that engine.
    hold: Option<Hold>,
    epochs: u64,
    /// The id of the next event.
    next_id: u64,
    bytes: usize,
    counts: Totals,
    buried: u64,
    purged: u64,
}

/// The counts that no collection of the state implies.
#[derive(Default)]
struct Totals {
    accepted: u64,
    derived: u64,
    delivered: u64,
    dead: u64,
    withheld: u64,
    dropped: u64,
    erased: u64,
    moved: u64,
    collided: u64,
}

/// The erased contacts.
struct ErasedContacts {
    key: [u8; 16],
    all: HashSet<Tombstone>,
    version: u64,
    /// The version that the delivering engine last got.
    told: u64,
}

impl Default for ErasedContacts {
    fn default() -> Self {
        let half = || RandomState::new().build_hasher().finish().to_ne_bytes();
        let key = [half(), half()].concat().try_into().unwrap_or_default();
        ErasedContacts { key, all: HashSet::new(), version: 0, told: 0 }
    }
}

impl ErasedContacts {
    fn erase(&mut self, contact: &Contact) {
        self.all.extend(Tombstone::of(&self.key, contact));
        self.version += 1;
    }

    fn forgive(&mut self, contact: &Contact) -> bool {
        let tombstones = Tombstone::of(&self.key, contact);
        let forgiven = tombstones.iter().filter(|tombstone| self.all.remove(tombstone)).count();
        self.version += u64::from(forgiven > 0);
        forgiven > 0
    }

    fn tell(&mut self) -> Arc<Tombstones> {
        self.told = self.version;
        Arc::new(Tombstones::new(self.key, self.version, self.all.iter().copied()))
    }

    fn news(&mut self) -> Option<Arc<Tombstones>> {
        (self.told != self.version).then(|| self.tell())
    }
}

struct HeldEvent {
    id: EventId,
    event: DataEvent,
    stage: Stage,
    attempts: u32,
    last_failure: Option<Arc<Failure>>,
    accepted: Instant,
    /// Its due time after a deferral, a put-back or a redrive.
    due: Option<Instant>,
    leased: bool,
}

struct Dead {
    grave: u64,
    letter: DeadLetter,
    stage: Stage,
}

/// The lock of the engine that delivers. The end of its turn opens it: a release, or the drop of
/// the tenure, whichever comes first.
#[derive(Clone)]
struct Hold(Arc<Mutex<Option<OwnedMutexGuard<()>>>>);

impl Hold {
    fn let_go(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Ends the turn when dropped.
struct TenureGuard(Hold);

impl Drop for TenureGuard {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// The next step of a call of `lease`.
enum Next {
    Turn(Turn),
    WaitForTurn,
    /// Until this time, if it is known.
    WaitForEvent(Option<Instant>),
}

/// The turn, seen by a caller of `lease`.
enum Present {
    Mine,
    /// Another engine's turn, which the caller does not know of.
    News(Standby),
    /// Another engine's turn or none, and the caller knows it.
    Known,
}

impl MemoryState {
    fn pending(&self) -> usize {
        self.fresh.len() + self.held.len()
    }

    fn earliest_new(&self) -> Option<Timestamp> {
        self.new_seconds.keys().next().copied()
    }

    fn counts(&self) -> Counts {
        let fresh = self.fresh.front().map(|held| (held.id, held.accepted));
        let held = self.held.first_key_value().map(|(id, held)| (*id, held.accepted));
        let oldest = [fresh, held].into_iter().flatten().min();
        Counts {
            accepted: self.counts.accepted,
            derived: self.counts.derived,
            delivered: self.counts.delivered,
            dead: self.counts.dead,
            pending: self.pending() as u64,
            withheld: self.counts.withheld,
            dropped: self.counts.dropped,
            erased: self.counts.erased,
            dead_letters: self.dead.len() as u64,
            purged: self.purged,
            moved: self.counts.moved,
            collided: self.counts.collided,
            newest: self.next_id.checked_sub(1).map(EventId::new),
            oldest_own: oldest.map(|(id, _)| id),
            oldest_pending: oldest.map(|(_, accepted)| accepted.elapsed()),
        }
    }

    fn is_present(&self, epoch: Epoch) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.epoch == epoch)
    }

    fn present(&self, standing: Standing) -> Present {
        match (&self.turn, standing) {
            (Some(turn), Standing::Delivering(epoch)) if turn.epoch == epoch => Present::Mine,
            (Some(turn), Standing::Standby(epoch)) if turn.epoch == epoch => Present::Known,
            (Some(turn), _) => Present::News(turn.clone()),
            (None, _) => Present::Known,
        }
    }

    /// Begins the turn of the caller, which has the lock.
    fn begin(&mut self, guard: OwnedMutexGuard<()>) -> Tenure {
        self.take_back();
        self.epochs += 1;
        let (epoch, since) = (Epoch::new(self.epochs), SystemTime::now());
        let deliverer = "another delivery in this process".to_owned();
        self.turn = Some(Standby { epoch, deliverer, since });
        let has_slot = |held: &&HeldEvent| !held.stage.is_new();
        let held = self.held.values().filter(has_slot).map(|held| Slot::of(&held.event)).collect();
        let used = self.used.iter().flat_map(|(keep_until, slots)| {
            slots.iter().map(|slot| UsedSlot { slot: *slot, keep_until: *keep_until })
        });
        let arrived = self.dead.values().filter(|dead| dead.stage == Stage::Admitted);
        let dead = arrived.map(|dead| UsedSlot {
            slot: Slot::of(&dead.letter.event),
            keep_until: UsedSlot::WHILE_DEAD,
        });
        let used = used.chain(dead);
        let hold = Hold(Arc::new(Mutex::new(Some(guard))));
        self.hold = Some(hold.clone());
        let guard = Box::new(TenureGuard(hold));
        let used = used.collect();
        let tombstones = self.tombstones.tell();
        Tenure { epoch, since, durable: false, held, used, tombstones, guard }
    }

    /// Ends all leases.
    fn take_back(&mut self) {
        let leased: Vec<_> = self.held.extract_if(.., |_, held| held.leased).collect();
        // Reversed, so that the lowest id is at the front in the end.
        for (id, mut held) in leased.into_iter().rev() {
            held.leased = false;
            if held.stage.is_new() {
                self.note_new(held.event.created_at());
            }
            match held.due {
                Some(due) => {
                    self.due.insert((due, id));
                    self.held.insert(id, held);
                }
                None if held.stage.is_new() => self.fresh.push_front(held),
                // Admitted, and not put back since.
                None => {
                    held.due = Some(held.accepted);
                    self.due.insert((held.accepted, id));
                    self.held.insert(id, held);
                }
            }
        }
    }

    fn note_new(&mut self, second: Timestamp) {
        *self.new_seconds.entry(second).or_default() += 1;
    }

    /// Removes an unadmitted, unleased event from the seconds.
    fn forget_new(&mut self, second: Timestamp) {
        if let Some(number) = self.new_seconds.get_mut(&second) {
            *number -= 1;
            if *number == 0 {
                self.new_seconds.remove(&second);
            }
        }
    }

    fn accept(&mut self, event: DataEvent, stage: Stage, now: Instant) {
        self.bytes += event.body().len();
        self.note_new(event.created_at());
        self.fresh.push_back(HeldEvent {
            id: EventId::new(self.next_id),
            event,
            stage,
            attempts: 0,
            last_failure: None,
            accepted: now,
            due: None,
            leased: false,
        });
        self.next_id += 1;
    }

    /// Leases up to `limit` due events, and returns the due time of the next one.
    fn lease(&mut self, limit: usize, now: Instant) -> (Vec<Lease>, Option<Instant>) {
        let mut leases = Vec::with_capacity(limit.min(self.pending()));
        while leases.len() < limit {
            let again = self.due.first().copied().filter(|(due, _)| *due <= now);
            let fresh = self.fresh.front().map(|held| (held.accepted, held.id));
            let id = match (again, fresh) {
                (Some(again), fresh) if fresh.is_none_or(|fresh| again < fresh) => {
                    self.due.remove(&again);
                    let deferred = self.held.get(&again.1).filter(|held| held.stage.is_new());
                    if let Some(second) = deferred.map(|held| held.event.created_at()) {
                        self.forget_new(second);
                    }
                    again.1
                }
                (_, Some(_)) => match self.pop_fresh() {
                    Some(id) => id,
                    None => break,
                },
                _ => break,
            };
            let Some(held) = self.held.get_mut(&id) else { break };
            held.leased = true;
            leases.push(Lease {
                id,
                event: held.event.clone(),
                stage: held.stage,
                attempts: held.attempts,
                last_failure: held.last_failure.clone(),
                age: now.saturating_duration_since(held.accepted),
            });
        }
        (leases, self.due.first().map(|(due, _)| *due))
    }

    fn pop_fresh(&mut self) -> Option<EventId> {
        let held = self.fresh.pop_front()?;
        self.forget_new(held.event.created_at());
        // Frees the memory of a past burst.
        if self.fresh.len() < self.fresh.capacity() / 8 {
            self.fresh.shrink_to((2 * self.fresh.len()).max(1024));
        }
        let id = held.id;
        self.held.insert(id, held);
        Some(id)
    }

    /// Returns the event if it is leased under this epoch.
    fn leased(&mut self, epoch: Epoch, id: EventId) -> Option<&mut HeldEvent> {
        match self.is_present(epoch) {
            true => self.held.get_mut(&id).filter(|held| held.leased),
            false => None,
        }
    }

    fn admit(&mut self, epoch: Epoch, admission: &Admission, now: Instant) -> bool {
        let Admission { id, ruling, derived } = admission;
        let Some(held) = self.leased(epoch, *id) else { return false };
        match ruling {
            Ruling::Keep { collides } => {
                held.stage = Stage::Admitted;
                self.counts.collided += u64::from(*collides);
            }
            Ruling::Replace { event, moved, collides } => {
                held.stage = Stage::Admitted;
                let before = std::mem::replace(&mut held.event, event.clone());
                self.bytes = self.bytes + event.body().len() - before.body().len();
                self.counts.moved += u64::from(*moved);
                self.counts.collided += u64::from(*collides);
            }
            Ruling::Defer { after } => {
                let due = later(now, *after);
                held.leased = false;
                held.due = Some(due);
                let new = held.stage.is_new().then(|| held.event.created_at());
                self.due.insert((due, *id));
                if let Some(second) = new {
                    self.note_new(second);
                }
            }
            Ruling::Withhold => {
                self.remove(*id);
                self.counts.withheld += 1;
            }
            Ruling::Drop => {
                self.remove(*id);
                self.counts.dropped += 1;
            }
        }
        self.counts.derived += derived.len() as u64;
        for event in derived {
            self.accept(event.clone(), Stage::Derived, now);
        }
        true
    }

    fn settle(&mut self, epoch: Epoch, settlement: &Settlement, now: Instant) -> bool {
        let Settlement { id, verdict } = settlement;
        let Some(held) = self.leased(epoch, *id) else { return false };
        match verdict {
            Verdict::PutBack { after, attempts, failure } => {
                held.leased = false;
                held.stage = Stage::Admitted;
                held.attempts = *attempts;
                if let Some(failure) = failure {
                    held.last_failure = Some(Arc::new(failure.clone()));
                }
                let due = later(now, *after);
                held.due = Some(due);
                self.due.insert((due, *id));
            }
            Verdict::Delivered { used } => {
                self.remove(*id);
                self.counts.delivered += 1;
                self.keep(*used);
            }
            Verdict::Bury { reason, attempts, failure, used } => {
                let Some(HeldEvent { id, event, .. }) = self.remove(*id) else { return false };
                let letter = DeadLetter {
                    id,
                    event,
                    reason: *reason,
                    failure: failure.clone(),
                    attempts: *attempts,
                    died_at: SystemTime::now(),
                };
                self.bury(letter, used.is_some());
                used.map(|used| self.keep(used));
            }
        }
        true
    }

    /// Keeps a dead letter. `arrived` says whether an attempt may have arrived.
    fn bury(&mut self, letter: DeadLetter, arrived: bool) {
        let stage = if arrived { Stage::Admitted } else { Stage::Redriven };
        self.counts.dead += 1;
        self.buried += 1;
        self.graves.insert(self.buried, letter.id);
        self.dead.insert(letter.id, Dead { grave: self.buried, letter, stage });
    }

    /// Buries pending events for an operator, and returns their number.
    fn bury_pending(&mut self, which: &Selection) -> u64 {
        let is_chosen = |held: &HeldEvent| which.contains_pending(held.id, &held.event);
        let fresh = std::mem::take(&mut self.fresh).into_iter();
        let (mut chosen, fresh): (Vec<_>, Vec<_>) = fresh.partition(is_chosen);
        self.fresh = fresh.into();
        chosen.extend(self.held.extract_if(.., |_, held| is_chosen(held)).map(|(_, held)| held));
        let number = chosen.len() as u64;
        for held in chosen {
            self.bytes -= held.event.body().len();
            if let (Some(due), false) = (held.due, held.leased) {
                self.due.remove(&(due, held.id));
            }
            if held.stage.is_new() && !held.leased {
                self.forget_new(held.event.created_at());
            }
            let arrived = held.leased || held.stage == Stage::Admitted;
            let letter = DeadLetter {
                id: held.id,
                event: held.event,
                reason: DeadLetterReason::Buried,
                failure: held.last_failure.as_deref().cloned(),
                attempts: held.attempts,
                died_at: SystemTime::now(),
            };
            self.bury(letter, arrived);
        }
        number
    }

    fn remove(&mut self, id: EventId) -> Option<HeldEvent> {
        let held = self.held.remove(&id)?;
        self.bytes -= held.event.body().len();
        Some(held)
    }

    fn keep(&mut self, used: UsedSlot) {
        self.used.entry(used.keep_until).or_default().push(used.slot);
    }

    fn redrive(&mut self, which: &Selection, now: Instant) -> u64 {
        let chosen = self.take_dead(which);
        let number = chosen.len() as u64;
        for Dead { letter, stage, .. } in chosen {
            let DeadLetter { id, event, .. } = letter;
            self.bytes += event.body().len();
            self.counts.dead -= 1;
            self.due.insert((now, id));
            if stage.is_new() {
                self.note_new(event.created_at());
            }
            let held = HeldEvent {
                id,
                event,
                stage,
                attempts: 0,
                last_failure: None,
                accepted: now,
                due: Some(now),
                leased: false,
            };
            self.held.insert(id, held);
        }
        number
    }

    fn take_dead(&mut self, which: &Selection) -> Vec<Dead> {
        let chosen = self.dead.extract_if(.., |_, dead| which.contains(&dead.letter));
        let chosen: Vec<Dead> = chosen.map(|(_, dead)| dead).collect();
        for dead in &chosen {
            self.graves.remove(&dead.grave);
        }
        chosen
    }

    fn erase(&mut self, contact: &Contact) -> ErasedEvents {
        let is_theirs = |event: &DataEvent| share_identifier(contact, event.contact());
        let fresh = std::mem::take(&mut self.fresh).into_iter();
        let (mut pending, rest) = fresh.partition::<Vec<_>, _>(|held| is_theirs(&held.event));
        self.fresh = rest.into();
        let held = self.held.extract_if(.., |_, held| is_theirs(&held.event));
        pending.extend(held.map(|(_, held)| held));
        for held in &pending {
            self.bytes -= held.event.body().len();
            if let Some(due) = held.due {
                self.due.remove(&(due, held.id));
            }
            if held.stage.is_new() && !held.leased {
                self.forget_new(held.event.created_at());
            }
        }
        let dead: Vec<_> =
            self.dead.extract_if(.., |_, dead| is_theirs(&dead.letter.event)).collect();
        for (_, dead) in &dead {
            self.graves.remove(&dead.grave);
        }
        let (pending, dead_letters) = (pending.len() as u64, dead.len() as u64);
        self.counts.dead -= dead_letters;
        self.counts.erased += pending + dead_letters;
        self.tombstones.erase(contact);
        ErasedEvents { pending, dead_letters, version: self.tombstones.version }
    }

    fn purge_oldest(&mut self) {
        if let Some((_, id)) = self.graves.pop_first() {
            self.dead.remove(&id);
            self.purged += 1;
        }
    }
}
