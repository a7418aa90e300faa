//! The events of an outbox in memory that were handed out at least once, or were redriven: found by their lease, by when
//! they are due, and by how old they are.
//!
//! Nearly all of them are leased once, and settled soon. So a lease says where its event stands, and the ends of leases
//! stand in a queue, because one that begins later ends later; what was settled stays in it for a while. Only what waits
//! to be leased again is in a tree.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use intercom_core::DataEvent;
use slab::Slab;
use tokio::time::Instant;

use super::{CollisionKey, EventId, Failure, LeaseToken};

pub(super) struct Held {
    pub(super) id: EventId,
    pub(super) event: DataEvent,
    pub(super) key: CollisionKey,
    pub(super) accepted: Instant,
    pub(super) attempts: u32,
    pub(super) last_failure: Option<Arc<Failure>>,
    /// The lease that is under way, or was not settled in time.
    token: Option<LeaseToken>,
    /// When it can be leased: again, or because its lease is over.
    due: Instant,
}

impl Held {
    pub(super) fn new(id: EventId, event: DataEvent, key: CollisionKey, accepted: Instant) -> Self {
        let due = accepted;
        Held { id, event, key, accepted, attempts: 0, last_failure: None, token: None, due }
    }

    /// Gives the event a body of its own: it is kept for longer than others.
    pub(super) fn detach(&mut self) {
        self.event = self.event.clone().detached();
    }
}

pub(super) struct Holding {
    events: Slab<Held>,
    /// Those that are not leased, by when they are due, and by how old they are.
    waiting: BTreeMap<(Instant, EventId), usize>,
    waiting_ids: BTreeSet<EventId>,
    /// The ends of leases, in their order. Some of these have been settled since.
    ends: VecDeque<End>,
    leased: usize,
    /// How many leases there have been, as far as that can be counted.
    leases: u32,
}

/// When a lease ends.
struct End {
    over: Instant,
    id: EventId,
    token: LeaseToken,
}

impl End {
    fn order(&self) -> (Instant, EventId) {
        (self.over, self.id)
    }
}

impl Holding {
    pub(super) const fn new() -> Self {
        Holding {
            events: Slab::new(),
            waiting: BTreeMap::new(),
            waiting_ids: BTreeSet::new(),
            ends: VecDeque::new(),
            leased: 0,
            leases: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The lowest id of all. Those that are leased are few, and looked through.
    pub(super) fn oldest(&self) -> Option<EventId> {
        let leased =
            self.ends.iter().filter(|end| is_good(&self.events, end)).map(|end| end.id).min();
        let waiting = self.waiting_ids.first().copied();
        [leased, waiting].into_iter().flatten().min()
    }

    /// Which event is due first, and when.
    pub(super) fn first_due(&mut self) -> Option<(Instant, EventId)> {
        self.forget_settled();
        let waiting = self.waiting.keys().next().copied();
        let over = self.ends.front().map(End::order);
        [waiting, over].into_iter().flatten().min()
    }

    /// Adds an event that is leased until this time.
    pub(super) fn add_leased(&mut self, held: Held, over: Instant) -> (&Held, LeaseToken) {
        let place = self.events.insert(held);
        self.lease(place, over)
    }

    /// Adds an event that waits since it was accepted.
    pub(super) fn add_waiting(&mut self, held: Held) {
        let (due, id) = (held.due, held.id);
        let place = self.events.insert(held);
        self.waiting.insert((due, id), place);
        self.waiting_ids.insert(id);
    }

    /// Leases the event that is [due first](Self::first_due).
    pub(super) fn lease_first(&mut self, over: Instant) -> Option<(&Held, LeaseToken)> {
        let (due, id) = self.first_due()?;
        let place = match self.waiting.remove(&(due, id)) {
            Some(place) => {
                self.waiting_ids.remove(&id);
                place
            }
            None => {
                let end = self.ends.pop_front()?;
                self.leased -= 1;
                place_of(end.token)
            }
        };
        Some(self.lease(place, over))
    }

    /// Ends a lease, if it is still good. Then the event is neither leased nor waiting.
    pub(super) fn end_lease(
        &mut self,
        id: EventId,
        token: LeaseToken,
        now: Instant,
    ) -> Option<Leased> {
        let place = place_of(token);
        let held = self.events.get_mut(place)?;
        if held.id != id || held.token != Some(token) || now >= held.due {
            return None;
        }
        held.token = None;
        self.leased -= 1;
        self.forget_settled();
        Some(Leased(place))
    }

    /// The event whose lease was ended.
    pub(super) fn get_mut(&mut self, leased: &Leased) -> &mut Held {
        &mut self.events[leased.0]
    }

    /// It waits until this time.
    pub(super) fn wait(&mut self, leased: Leased, due: Instant) {
        let held = &mut self.events[leased.0];
        held.due = due;
        self.waiting.insert((due, held.id), leased.0);
        self.waiting_ids.insert(held.id);
    }

    /// It is gone.
    pub(super) fn remove(&mut self, leased: Leased) -> Held {
        self.events.remove(leased.0)
    }

    fn lease(&mut self, place: usize, over: Instant) -> (&Held, LeaseToken) {
        self.leases = self.leases.wrapping_add(1);
        let token = token_of(place, self.leases);
        self.leased += 1;
        let held = &mut self.events[place];
        held.token = Some(token);
        held.due = over;
        let end = End { over, id: held.id, token };
        // Nearly always it is the last one.
        match self.ends.back() {
            Some(last) if last.order() > end.order() => {
                let at = self.ends.partition_point(|other| other.order() < end.order());
                self.ends.insert(at, end);
            }
            _ => self.ends.push_back(end),
        }
        (held, token)
    }

    /// Forgets the ends of leases that were settled: those in front, and all when they are many.
    fn forget_settled(&mut self) {
        const MANY: usize = 32;
        while self.ends.front().is_some_and(|end| !is_good(&self.events, end)) {
            self.ends.pop_front();
        }
        if self.ends.len() > self.leased + self.leased / 2 + MANY {
            self.ends.retain(|end| is_good(&self.events, end));
        }
    }
}

/// Whether this is still the end of the lease of an event.
fn is_good(events: &Slab<Held>, end: &End) -> bool {
    events.get(place_of(end.token)).is_some_and(|held| held.token == Some(end.token))
}

/// An event whose lease was ended, and of which nothing else is known yet.
pub(super) struct Leased(usize);

/// A lease says where its event stands, and which lease it is.
fn token_of(place: usize, lease: u32) -> LeaseToken {
    LeaseToken(u64::from(lease) << 32 | place as u64 & u64::from(u32::MAX))
}

fn place_of(token: LeaseToken) -> usize {
    (token.0 & u64::from(u32::MAX)) as usize
}
