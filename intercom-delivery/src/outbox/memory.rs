//! The outbox in memory: bounded, quick, and gone with the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use intercom_core::{DataEvent, async_trait};
use tokio::time::Instant;

use super::{
    AcceptError, CollisionGuard, Collisions, Counts, DeadLetter, EventId, Lease, LeaseToken,
    Leased, Outbox, OutboxError, Placement, Selection, Settlement, Verdict, Wake,
};

/// How many events a [`MemoryOutbox`] holds, unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 100_000;

/// How many bytes the bodies in a [`MemoryOutbox`] may have together, unless told otherwise: 256 MiB.
pub const DEFAULT_MAX_BYTES: usize = 256 << 20;

/// How many dead letters a [`MemoryOutbox`] keeps, unless told otherwise.
pub const DEFAULT_DEAD_LETTERS: usize = 10_000;

/// Holds events in memory, up to a bound: what the process has not delivered when it ends is lost.
///
/// When it is full it accepts nothing more, and never drops what it has accepted. Dead letters do not take the room
/// of events; beyond a bound of their own the oldest is purged.
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
    state: Mutex<State>,
}

impl MemoryOutbox {
    /// An empty outbox with the default bounds.
    pub fn new() -> Self {
        MemoryOutbox {
            capacity: DEFAULT_CAPACITY,
            max_bytes: DEFAULT_MAX_BYTES,
            max_dead_letters: DEFAULT_DEAD_LETTERS,
            state: Mutex::new(State::new()),
        }
    }

    /// How many events it holds, leased ones included. The default is [`DEFAULT_CAPACITY`], 100,000.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// How many bytes the bodies of its events may have together. The default is [`DEFAULT_MAX_BYTES`], 256 MiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many dead letters it keeps. The default is [`DEFAULT_DEAD_LETTERS`], 10,000.
    #[must_use]
    pub fn max_dead_letters(mut self, letters: usize) -> Self {
        self.max_dead_letters = letters;
        self
    }

    /// No operation leaves the state half changed, so what a panicking thread left behind is good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts all or none.
    fn accept_now(&self, events: &[DataEvent], collisions: Collisions) -> Result<(), AcceptError> {
        let now = Instant::now();
        let bytes: usize = events.iter().map(|event| event.body().len()).sum();
        let mut state = self.state();
        if events.len() > self.capacity.saturating_sub(state.pending())
            || bytes > self.max_bytes.saturating_sub(state.bytes)
        {
            return Err(AcceptError::Full);
        }
        for event in events {
            state.accept(event, collisions, now);
        }
        if let Some(wake) = &state.wake
            && !events.is_empty()
        {
            wake.wake();
        }
        Ok(())
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
            .field("counts", &self.counts())
            .finish()
    }
}

#[async_trait]
impl Outbox for MemoryOutbox {
    async fn accept(
        &self,
        events: &[DataEvent],
        collisions: Collisions,
    ) -> Result<(), AcceptError> {
        self.accept_now(events, collisions)
    }

    fn try_accept(&self, event: &DataEvent, collisions: Collisions) -> Result<(), AcceptError> {
        self.accept_now(std::slice::from_ref(event), collisions)
    }

    async fn lease(&self, most: usize, term: Duration) -> Result<Leased, OutboxError> {
        Ok(self.state().lease(most, term, Instant::now()))
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<EventId>, OutboxError> {
        let now = Instant::now();
        let mut late = Vec::new();
        let mut state = self.state();
        for settlement in settlements {
            if !state.settle(settlement, now) {
                late.push(settlement.id);
            }
        }
        let surplus = state.dead.len().saturating_sub(self.max_dead_letters);
        for _ in 0..surplus {
            let oldest = state.dead.first_key_value().map(|(id, _)| *id);
            oldest.and_then(|id| state.forget(id, now));
        }
        Ok(late)
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = after.map_or(Unbounded, Excluded);
        Ok(self.state().dead.range((after, Unbounded)).take(most).map(|(_, l)| l.clone()).collect())
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let now = Instant::now();
        let mut state = self.state();
        let letters = state.take_dead(which);
        let number = letters.len() as u64;
        for letter in letters {
            state.bytes += letter.event.body().len();
            state.dead_count -= 1;
            let held =
                Held { event: letter.event, accepted: now, attempts: 0, due: now, token: None };
            state.hold(letter.id, held);
        }
        if let Some(wake) = &state.wake
            && number > 0
        {
            wake.wake();
        }
        Ok(number)
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        let now = Instant::now();
        let mut state = self.state();
        let letters = state.take_dead(which);
        for letter in &letters {
            state.guard.release(&letter.event, now);
        }
        Ok(letters.len() as u64)
    }

    fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            accepted: state.accepted,
            delivered: state.delivered,
            dead: state.dead_count,
            pending: state.pending() as u64,
            dead_letters: state.dead.len() as u64,
            moved: state.moved,
            collided: state.collided,
            oldest_pending: state.oldest_pending(),
            newest: state.accepted.checked_sub(1).map(EventId),
        }
    }

    fn attach(&self, wake: Wake) {
        self.state().wake = Some(wake);
    }
}

struct State {
    /// Events that nobody was given yet, in the order of their ids, without gaps. They are due since they came.
    fresh: Blocks<Fresh>,
    /// Events that are leased, or were: by id.
    held: BTreeMap<EventId, Held>,
    /// The same by the time when they are due: again, or because their lease is over.
    due: BTreeSet<(Instant, EventId)>,
    dead: BTreeMap<EventId, DeadLetter>,
    guard: CollisionGuard,
    /// Of the bodies of all that is pending.
    bytes: usize,
    leases: u64,
    accepted: u64,
    delivered: u64,
    dead_count: u64,
    moved: u64,
    collided: u64,
    wake: Option<Wake>,
}

struct Fresh {
    event: DataEvent,
    accepted: Instant,
}

struct Held {
    event: DataEvent,
    accepted: Instant,
    attempts: u32,
    /// When it can be leased: for the first time, again, or because a lease is over.
    due: Instant,
    /// The lease that is under way, or was not settled in time.
    token: Option<LeaseToken>,
}

impl State {
    fn new() -> Self {
        State {
            fresh: Blocks::new(),
            held: BTreeMap::new(),
            due: BTreeSet::new(),
            dead: BTreeMap::new(),
            guard: CollisionGuard::new(),
            bytes: 0,
            leases: 0,
            accepted: 0,
            delivered: 0,
            dead_count: 0,
            moved: 0,
            collided: 0,
            wake: None,
        }
    }

    fn pending(&self) -> usize {
        self.fresh.len() + self.held.len()
    }

    /// The id of the first fresh event: ids are given in the order of acceptance, from 0.
    fn first_fresh(&self) -> EventId {
        EventId(self.accepted - self.fresh.len() as u64)
    }

    fn oldest_pending(&self) -> Option<EventId> {
        let held = self.held.keys().next().copied();
        let fresh = (self.fresh.len() > 0).then(|| self.first_fresh());
        [held, fresh].into_iter().flatten().min()
    }

    fn accept(&mut self, event: &DataEvent, collisions: Collisions, now: Instant) {
        let event = match self.guard.place(event, collisions, now) {
            Placement::Free => event.clone(),
            Placement::Moved(second) => {
                self.moved += 1;
                event.moved_to(second)
            }
            Placement::Collides => {
                self.collided += 1;
                event.clone()
            }
        };
        self.bytes += event.body().len();
        self.accepted += 1;
        self.fresh.push(Fresh { event, accepted: now });
    }

    fn hold(&mut self, id: EventId, held: Held) {
        self.due.insert((held.due, id));
        self.held.insert(id, held);
    }

    fn lease(&mut self, most: usize, term: Duration, now: Instant) -> Leased {
        let mut events = Vec::with_capacity(most.min(self.pending()));
        while events.len() < most {
            // What was tried before and what is fresh are two queues, each in the order of its due times.
            let again = self.due.first().copied().filter(|(due, _)| *due <= now);
            let fresh = self.fresh.first().map(|fresh| fresh.accepted);
            let (id, mut held) = match (again, fresh) {
                (Some((due, id)), fresh) if fresh.is_none_or(|fresh| due <= fresh) => {
                    self.due.pop_first();
                    let held = self.held.remove(&id).expect("what is due is held");
                    (id, held)
                }
                (_, Some(_)) => {
                    let id = self.first_fresh();
                    let Fresh { event, accepted } = self.fresh.pop().expect("there is a first one");
                    (id, Held { event, accepted, attempts: 0, due: now, token: None })
                }
                _ => break,
            };
            let token = LeaseToken(self.leases);
            self.leases += 1;
            events.push(Lease {
                id,
                token,
                event: held.event.clone(),
                attempts: held.attempts,
                age: now.saturating_duration_since(held.accepted),
            });
            held.token = Some(token);
            held.due = later(now, term);
            self.hold(id, held);
        }
        let next_due = match self.fresh.len() {
            0 => self.due.first().map(|(due, _)| due.saturating_duration_since(now)),
            _ => Some(Duration::ZERO),
        };
        Leased { events, next_due }
    }

    /// Whether the lease was still good.
    fn settle(&mut self, settlement: &Settlement, now: Instant) -> bool {
        let id = settlement.id;
        let leased = |held: &Held| held.token == Some(settlement.token) && now < held.due;
        if !self.held.get(&id).is_some_and(leased) {
            return false;
        }
        let mut held = self.held.remove(&id).expect("it was just looked at");
        self.due.remove(&(held.due, id));
        match &settlement.verdict {
            Verdict::Acknowledge => {
                self.bytes -= held.event.body().len();
                self.guard.release(&held.event, now);
                self.delivered += 1;
            }
            Verdict::PutBack { after, attempts, failure: _ } => {
                held.attempts = *attempts;
                held.due = later(now, *after);
                held.token = None;
                self.hold(id, held);
            }
            Verdict::Bury { reason, attempts, failure } => {
                self.bytes -= held.event.body().len();
                self.dead_count += 1;
                let letter = DeadLetter {
                    id,
                    event: held.event,
                    reason: *reason,
                    failure: failure.clone(),
                    attempts: *attempts,
                    died_at: SystemTime::now(),
                };
                self.dead.insert(id, letter);
            }
        }
        true
    }

    /// Forgets one dead letter.
    fn forget(&mut self, id: EventId, now: Instant) -> Option<DeadLetter> {
        let letter = self.dead.remove(&id)?;
        self.guard.release(&letter.event, now);
        Some(letter)
    }

    fn take_dead(&mut self, which: &Selection) -> Vec<DeadLetter> {
        self.dead.extract_if(.., |_, letter| which.contains(letter)).map(|(_, l)| l).collect()
    }
}

/// A time so long after another, or as late as can be.
fn later(time: Instant, by: Duration) -> Instant {
    /// Who waits for longer waits for this long: 30 years.
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    time + by.min(FAR)
}

/// A queue in blocks: it grows without moving what it holds, and gives back the memory of what has left.
struct Blocks<T> {
    blocks: VecDeque<VecDeque<T>>,
    /// An empty block, so that a queue at the edge of two does not make one over and over.
    spare: Option<VecDeque<T>>,
    len: usize,
}

impl<T> Blocks<T> {
    /// How many items a block holds.
    const BLOCK: usize = 256;

    const fn new() -> Self {
        Blocks { blocks: VecDeque::new(), spare: None, len: 0 }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn first(&self) -> Option<&T> {
        self.blocks.front()?.front()
    }

    fn push(&mut self, item: T) {
        match self.blocks.back_mut() {
            Some(block) if block.len() < block.capacity() => block.push_back(item),
            _ => {
                let spare = self.spare.take();
                let mut block = spare.unwrap_or_else(|| VecDeque::with_capacity(Self::BLOCK));
                block.push_back(item);
                self.blocks.push_back(block);
            }
        }
        self.len += 1;
    }

    fn pop(&mut self) -> Option<T> {
        let block = self.blocks.front_mut()?;
        let item = block.pop_front();
        if block.is_empty() {
            self.spare = self.blocks.pop_front();
        }
        self.len -= usize::from(item.is_some());
        item
    }
}
