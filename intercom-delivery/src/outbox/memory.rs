//! The outbox in memory: bounded, quick, and gone with the process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use intercom_core::{DataEvent, async_trait};
use tokio::time::Instant;

use super::holding::{Held, Holding};
use super::{
    AcceptError, CollisionGuard, CollisionKey, Collisions, Counts, DeadLetter, EventId, Lease,
    Leased, Outbox, OutboxError, Placement, Selection, Settlement, Unaccepted, Verdict, Wake,
};
use crate::time::later;

/// How many events a [`MemoryOutbox`] holds, unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 100_000;

/// How many bytes the bodies in a [`MemoryOutbox`] may have together, unless told otherwise: 256 MiB.
pub const DEFAULT_MAX_BYTES: usize = 256 << 20;

/// How many dead letters a [`MemoryOutbox`] keeps, unless told otherwise.
pub const DEFAULT_DEAD_LETTERS: usize = 10_000;

/// How much memory the bodies of events share that are accepted one after the other. What is kept for longer than the
/// others leaves it.
const BODIES: usize = 16 * 1024;

/// Holds events in memory, up to a bound: what the process has not delivered when it ends is lost.
///
/// When it is full it accepts nothing more, and never drops what it has accepted. Dead letters do not take the room
/// of events, and find some when they are redriven; beyond a bound of their own who died first is purged, and counted.
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
            state: Mutex::new(State::new(DEFAULT_CAPACITY)),
        }
    }

    /// How many events it holds, leased ones included. The default is [`DEFAULT_CAPACITY`], 100,000.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self.state = Mutex::new(State::new(events));
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

    /// Whether there is room for so many more events, of so many bytes.
    fn has_room(&self, state: &State, events: usize, bytes: usize) -> bool {
        events <= self.capacity.saturating_sub(state.pending())
            && bytes <= self.max_bytes.saturating_sub(state.bytes)
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
        let bytes: usize = events.iter().map(|event| event.body().len()).sum();
        if events.len() > self.capacity || bytes > self.max_bytes {
            return Err(AcceptError::TooMuch);
        }
        let now = Instant::now();
        let mut state = self.state();
        if !self.has_room(&state, events.len(), bytes) {
            return Err(AcceptError::Full);
        }
        for event in events {
            state.accept(event.clone(), collisions, now);
        }
        if !events.is_empty() {
            state.wake();
        }
        Ok(())
    }

    fn try_accept(&self, event: DataEvent, collisions: Collisions) -> Result<(), Box<Unaccepted>> {
        let bytes = event.body().len();
        if self.capacity == 0 || bytes > self.max_bytes {
            return Err(Box::new(Unaccepted { event, error: AcceptError::TooMuch }));
        }
        let now = Instant::now();
        let mut state = self.state();
        if !self.has_room(&state, 1, bytes) {
            return Err(Box::new(Unaccepted { event, error: AcceptError::Full }));
        }
        state.accept(event, collisions, now);
        state.wake();
        Ok(())
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
        // Who died first goes first.
        while state.dead.len() > self.max_dead_letters
            && let Some((_, id)) = state.deaths.pop_first()
        {
            if let Some(dead) = state.dead.remove(&id) {
                state.guard.release(dead.key, now);
                state.purged += 1;
            }
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
        let state = self.state();
        let letters = state.dead.range((after, Unbounded)).map(|(_, dead)| dead.letter.clone());
        Ok(letters.take(most).collect())
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let now = Instant::now();
        let mut state = self.state();
        let chosen = state.take_dead(which);
        let number = chosen.len() as u64;
        for Dead { letter, key, .. } in chosen {
            state.bytes += letter.event.body().len();
            state.dead_count -= 1;
            let event = letter.event;
            state.held.add_waiting(Held::new(letter.id, event, key, now));
        }
        if number > 0 {
            state.wake();
        }
        Ok(number)
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        let now = Instant::now();
        let mut state = self.state();
        let chosen = state.take_dead(which);
        for dead in &chosen {
            state.guard.release(dead.key, now);
        }
        state.purged += chosen.len() as u64;
        Ok(chosen.len() as u64)
    }

    fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            accepted: state.accepted,
            delivered: state.delivered,
            dead: state.dead_count,
            pending: state.pending() as u64,
            dead_letters: state.dead.len() as u64,
            purged: state.purged,
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
    /// The others that are pending.
    held: Holding,
    dead: BTreeMap<EventId, Dead>,
    /// The same in the order in which they died, by the number of the death.
    deaths: BTreeMap<u64, EventId>,
    purged: u64,
    guard: CollisionGuard,
    /// Room for the bodies of the next events.
    bodies: BytesMut,
    /// Of the bodies of all that is pending.
    bytes: usize,
    accepted: u64,
    delivered: u64,
    dead_count: u64,
    moved: u64,
    collided: u64,
    wake: Option<Wake>,
}

struct Fresh {
    event: DataEvent,
    key: CollisionKey,
    accepted: Instant,
}

struct Dead {
    death: u64,
    letter: DeadLetter,
    key: CollisionKey,
}

impl State {
    fn new(capacity: usize) -> Self {
        /// Room for more events is made when they come: a larger table is a slower one.
        const MOST: usize = 10_000;
        State {
            fresh: Blocks::new(),
            held: Holding::new(),
            dead: BTreeMap::new(),
            deaths: BTreeMap::new(),
            purged: 0,
            guard: CollisionGuard::with_capacity(capacity.min(MOST)),
            bodies: BytesMut::new(),
            bytes: 0,
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
        let held = self.held.oldest();
        let fresh = (self.fresh.len() > 0).then(|| self.first_fresh());
        [held, fresh].into_iter().flatten().min()
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake {
            wake.wake();
        }
    }

    fn accept(&mut self, event: DataEvent, collisions: Collisions, now: Instant) {
        let (placement, key) = self.guard.place(&event, collisions, now);
        let event = match placement {
            Placement::Free => event,
            Placement::Moved(second) => {
                self.moved += 1;
                event.moved_to(second)
            }
            Placement::Collides => {
                self.collided += 1;
                event
            }
        };
        let size = event.body().len();
        if self.bodies.capacity() < size {
            // Where nothing of the last one is in use any more, it is used again.
            self.bodies.reserve(BODIES.max(size));
        }
        let event = event.with_body_in(&mut self.bodies);
        self.bytes += size;
        self.accepted += 1;
        self.fresh.push(Fresh { event, key, accepted: now });
    }

    fn lease(&mut self, most: usize, term: Duration, now: Instant) -> Leased {
        let mut events = Vec::with_capacity(most.min(self.pending()));
        // A lease of no time would be due again at once.
        let over = later(now, term.max(Duration::from_nanos(1)));
        while events.len() < most {
            // What was tried before and what is fresh are two queues, each in the order of its due times.
            let again = self.held.first_due().map(|(due, _)| due).filter(|due| *due <= now);
            let fresh = self.fresh.first().map(|fresh| fresh.accepted);
            let leased = match (again, fresh) {
                (Some(due), fresh) if fresh.is_none_or(|fresh| due <= fresh) => {
                    self.held.lease_first(over)
                }
                (_, Some(_)) => {
                    let id = self.first_fresh();
                    let fresh = self.fresh.pop();
                    fresh.map(|Fresh { event, key, accepted }| {
                        self.held.add_leased(Held::new(id, event, key, accepted), over)
                    })
                }
                _ => None,
            };
            let Some((held, token)) = leased else { break };
            events.push(Lease {
                id: held.id,
                token,
                event: held.event.clone(),
                attempts: held.attempts,
                last_failure: held.last_failure.clone(),
                age: now.saturating_duration_since(held.accepted),
            });
        }
        let next_due = match self.fresh.len() {
            0 => self.held.first_due().map(|(due, _)| due.saturating_duration_since(now)),
            _ => Some(Duration::ZERO),
        };
        Leased { events, next_due }
    }

    /// Whether the lease was still good.
    fn settle(&mut self, settlement: &Settlement, now: Instant) -> bool {
        let Settlement { id, token, verdict } = settlement;
        let Some(leased) = self.held.end_lease(*id, *token, now) else { return false };
        if let Verdict::PutBack { after, attempts, failure } = verdict {
            let held = self.held.get_mut(&leased);
            held.detach();
            held.attempts = *attempts;
            if let Some(failure) = failure {
                held.last_failure = Some(Arc::new(failure.clone()));
            }
            self.held.wait(leased, later(now, *after));
            return true;
        }
        let Held { id, event, key, .. } = self.held.remove(leased);
        self.bytes -= event.body().len();
        if let Verdict::Bury { reason, attempts, failure } = verdict {
            self.dead_count += 1;
            let letter = DeadLetter {
                id,
                // It may be kept for long.
                event: event.detached(),
                reason: *reason,
                failure: failure.clone(),
                attempts: *attempts,
                died_at: SystemTime::now(),
            };
            let death = self.deaths.last_key_value().map_or(0, |(last, _)| last + 1);
            self.deaths.insert(death, id);
            self.dead.insert(id, Dead { death, letter, key });
        } else {
            self.delivered += 1;
            self.guard.release(key, now);
        }
        true
    }

    fn take_dead(&mut self, which: &Selection) -> Vec<Dead> {
        let chosen = self.dead.extract_if(.., |_, dead| which.contains(&dead.letter));
        let chosen: Vec<Dead> = chosen.map(|(_, dead)| dead).collect();
        for dead in &chosen {
            self.deaths.remove(&dead.death);
        }
        chosen
    }
}

/// A queue in blocks: it grows without moving what it holds, and gives back the memory of what has left.
struct Blocks<T> {
    blocks: VecDeque<VecDeque<T>>,
    /// Empty blocks, so that a queue that is filled and emptied over and over does not make them anew.
    spare: Vec<VecDeque<T>>,
    len: usize,
}

impl<T> Blocks<T> {
    /// How many items a block holds.
    const BLOCK: usize = 64;

    /// How many empty blocks are kept.
    const SPARE: usize = 16;

    const fn new() -> Self {
        Blocks { blocks: VecDeque::new(), spare: Vec::new(), len: 0 }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn first(&self) -> Option<&T> {
        self.blocks.front()?.front()
    }

    fn push(&mut self, item: T) {
        self.len += 1;
        if let Some(block) = self.blocks.back_mut()
            && block.len() < Self::BLOCK
        {
            block.push_back(item);
            return;
        }
        let spare = self.spare.pop();
        let mut block = spare.unwrap_or_else(|| VecDeque::with_capacity(Self::BLOCK));
        block.push_back(item);
        self.blocks.push_back(block);
    }

    fn pop(&mut self) -> Option<T> {
        let block = self.blocks.front_mut()?;
        let item = block.pop_front()?;
        self.len -= 1;
        if block.is_empty()
            && let Some(empty) = self.blocks.pop_front()
            && self.spare.len() < Self::SPARE
        {
            self.spare.push(empty);
        }
        Some(item)
    }
}
