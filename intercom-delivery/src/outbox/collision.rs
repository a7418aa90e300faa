//! Two events that Intercom would take for one, noticed before it does.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::time::Duration;

use foldhash::quality::RandomState;
use intercom_core::{DataEvent, Timestamp};
use tokio::time::Instant;

/// What becomes of an event that has its name, contact and second in common with one that is held, or was recently.
///
/// Intercom takes two such events for one and ignores the second, in silence. Names are compared without case. A
/// contact that is named by user id once and by email another time cannot be known to be the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Collisions {
    /// It is moved to a later second that is free, the next one where that is known, and counted. It is moved by a day
    /// ([`MAX_AHEAD`]) at the most; beyond that it is kept as it is.
    #[default]
    Move,
    /// It is kept as it is, and counted. Intercom will ignore it.
    Keep,
}

/// Where an event may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// At its own second: nothing else is there.
    Free,
    /// At this second, because its own is taken.
    Moved(Timestamp),
    /// At its own second, which is taken.
    Collides,
}

/// What a [`CollisionGuard`] knows an event by that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollisionKey(u64);

/// How long an event is remembered after it has left, at the least.
const MEMORY: Duration = Duration::from_secs(120);

/// How far an event is moved at the most, in seconds: a day. Who sends more of one name for one contact than one a second,
/// on and on, would have them ever further in the future; beyond this they are kept as they are, and counted.
pub const MAX_AHEAD: u32 = 86_400;

/// How many events that have left are remembered, at the least, however quickly they leave. Intercom takes 25,000 a
/// minute of a workspace at the most, so these are those of ten seconds. More would not fit into the caches.
const REMEMBERED: usize = 4_096;

/// Remembers which contact, name and second are taken: for an [`Outbox`](super::Outbox) in memory.
///
/// It remembers the events that are held, and those that left in the last two minutes, as far as these are not more
/// than 4,096; one that was moved into the future until that is past. It keeps 64 bits of each. Should two different
/// events agree in these, which is next to impossible, the later one is moved by a second.
#[derive(Debug)]
pub struct CollisionGuard {
    hasher: RandomState,
    taken: HashMap<u64, Taken, BuildHasherDefault<AsItIs>>,
    capacity: usize,
    /// The seconds that events were moved to and that may still lie ahead: an event of such a second may yet come,
    /// however long ago the one that was moved has left.
    ahead: HashMap<u64, i64, BuildHasherDefault<AsItIs>>,
    /// How many of these are enough to look through them.
    look_ahead: usize,
    /// Events that have left, in the order in which they did: they are forgotten from the front.
    left: VecDeque<Left>,
    /// The number of the one that left last.
    last_left: i32,
}

/// An event that has left.
#[derive(Clone, Copy, Debug)]
struct Left {
    key: u64,
    number: i32,
    /// Until when it is remembered.
    until: Instant,
}

/// A taken second.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// How far it is to the next second that may be free.
    step: u32,
    /// By how many events it is held: by more than one where they are kept though they collide. When all have left, the
    /// number of the one that left last, as a negative one. There is one of these for each event, so it is kept small.
    held: i32,
}

/// Nobody holds it and nobody remembers who did, but it lies ahead.
const AHEAD: i32 = i32::MIN;

impl CollisionGuard {
    /// One that knows of no event.
    pub fn new() -> Self {
        CollisionGuard::with_capacity(0)
    }

    /// One that knows of no event, and holds so many without looking for a larger place meanwhile.
    pub fn with_capacity(events: usize) -> Self {
        CollisionGuard {
            hasher: RandomState::default(),
            taken: HashMap::with_capacity_and_hasher(events, BuildHasherDefault::default()),
            capacity: events,
            ahead: HashMap::default(),
            look_ahead: REMEMBERED,
            left: VecDeque::new(),
            last_left: 0,
        }
    }

    /// Finds the second where an event may stand, and takes it. The event is held from then on, under this key.
    pub fn place(
        &mut self,
        event: &DataEvent,
        collisions: Collisions,
        now: Instant,
    ) -> (Placement, CollisionKey) {
        const HELD: Taken = Taken { step: 1, held: 1 };
        self.forget_old(now);
        let place = self.place_of(event);
        let key = place.key(0);
        let mut ahead = match self.taken.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(HELD);
                return (Placement::Free, CollisionKey(key));
            }
            Entry::Occupied(mut entry) => {
                let taken = entry.get_mut();
                if collisions == Collisions::Keep {
                    taken.held = taken.held.max(0).saturating_add(1);
                    return (Placement::Collides, CollisionKey(key));
                }
                taken.step
            }
        };
        while let Some(taken) = self.taken.get(&place.key(ahead)) {
            ahead = ahead.saturating_add(taken.step);
        }
        if ahead > MAX_AHEAD {
            if let Some(taken) = self.taken.get_mut(&key) {
                taken.held = taken.held.max(0).saturating_add(1);
            }
            return (Placement::Collides, CollisionKey(key));
        }
        let key = place.key(ahead);
        self.taken.insert(key, HELD);
        self.ahead.insert(key, place.second.saturating_add(ahead.into()));
        // The next one that comes by any second of this way starts from where it ended.
        let mut passed = 0;
        while passed < ahead
            && let Some(taken) = self.taken.get_mut(&place.key(passed))
        {
            let step = std::mem::replace(&mut taken.step, (ahead - passed).saturating_add(1));
            passed = passed.saturating_add(step);
        }
        let second = Timestamp::from_unix_seconds(place.second.saturating_add(ahead.into()));
        (Placement::Moved(second), CollisionKey(key))
    }

    /// Notes that an event is no longer held. It is remembered for a while.
    pub fn release(&mut self, key: CollisionKey, now: Instant) {
        self.forget_old(now);
        if let Some(taken) = self.taken.get_mut(&key.0)
            && taken.held > 0
        {
            taken.held -= 1;
            if taken.held == 0 {
                self.last_left = self.last_left.checked_add(1).unwrap_or(1);
                taken.held = -self.last_left;
                self.left.push_back(Left {
                    key: key.0,
                    number: self.last_left,
                    until: now + MEMORY,
                });
            }
        }
    }

    /// Forgets events that have left long ago, or before many others.
    fn forget_old(&mut self, now: Instant) {
        while let Some(first) = self.left.front().copied()
            && (self.left.len() > REMEMBERED || first.until <= now)
        {
            self.left.pop_front();
            // It may have been taken again since, or have left again.
            if let Entry::Occupied(mut taken) = self.taken.entry(first.key)
                && taken.get().held == -first.number
            {
                let past = || Timestamp::now().unix_seconds() - MEMORY.as_secs() as i64;
                match self.ahead.get(&first.key) {
                    Some(second) if *second >= past() => taken.get_mut().held = AHEAD,
                    Some(_) => {
                        self.ahead.remove(&first.key);
                        taken.remove();
                    }
                    None => {
                        taken.remove();
                    }
                }
            }
        }
        if self.ahead.len() >= self.look_ahead {
            self.forget_past();
        }
        // What a burst needed is given back.
        let (len, capacity) = (self.taken.len(), self.taken.capacity());
        if len < capacity / 8 && capacity > 2 * self.capacity.max(REMEMBERED) {
            self.taken.shrink_to(self.capacity.max(2 * len));
        }
    }

    /// Forgets the seconds that were ahead and are past. It is done when they have become twice as many.
    fn forget_past(&mut self) {
        let past = Timestamp::now().unix_seconds() - MEMORY.as_secs() as i64;
        let taken = &mut self.taken;
        self.ahead.retain(|key, second| {
            let ahead = *second >= past;
            if !ahead && taken.get(key).is_some_and(|taken| taken.held == AHEAD) {
                taken.remove(key);
            }
            ahead
        });
        self.look_ahead = REMEMBERED.max(2 * self.ahead.len());
    }

    fn place_of(&self, event: &DataEvent) -> Place {
        let mut hasher = self.hasher.build_hasher();
        hash_folded(event.name(), &mut hasher);
        let contact = event.contact();
        for identifier in [contact.as_user_id(), contact.as_contact_id()] {
            identifier.hash(&mut hasher);
        }
        if let Some(email) = contact.as_email() {
            hash_folded(email, &mut hasher);
        }
        Place { contact_and_name: hasher.finish(), second: event.created_at().unix_seconds() }
    }
}

impl Default for CollisionGuard {
    fn default() -> Self {
        CollisionGuard::new()
    }
}

/// What two colliding events have in common.
struct Place {
    contact_and_name: u64,
    second: i64,
}

impl Place {
    /// What stands for the second that lies so far ahead.
    fn key(&self, ahead: u32) -> u64 {
        // An odd number near 2⁶⁴ divided by the golden ratio: neighbouring seconds lie far apart.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let second = self.second.wrapping_add(ahead.into()) as u64;
        self.contact_and_name.wrapping_add(second.wrapping_mul(SPREAD))
    }
}

/// Hashes a text in lower case, and its end: as Intercom compares event names. For an outbox with a guard of its own.
pub fn hash_folded(text: &str, hasher: &mut impl Hasher) {
    /// No byte of a text.
    const END: u8 = 0xFF;
    if text.is_ascii() {
        let mut folded = [0; 64];
        for part in text.as_bytes().chunks(folded.len()) {
            let folded = &mut folded[..part.len()];
            folded.copy_from_slice(part);
            folded.make_ascii_lowercase();
            hasher.write(folded);
        }
    } else {
        hasher.write(text.to_lowercase().as_bytes());
    }
    hasher.write(&[END]);
}

/// Takes a number that is a good hash already for the hash.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only whole numbers are hashed here");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
