//! Two events that Intercom would take for one, noticed before it does.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp};
use tokio::time::Instant;

/// What becomes of an event that has its name, contact and second in common with one that is held, or was recently.
///
/// Intercom takes two such events for one and ignores the second, in silence. Names are compared without case. A
/// contact that is named by user id once and by email another time cannot be known to be the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Collisions {
    /// It is moved to the next second that is free, and counted.
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

/// How long an event is remembered after it has left, at the least.
pub(super) const MEMORY: Duration = Duration::from_secs(120);

/// The most events that have left of which each half of the memory keeps track.
const REMEMBERED: usize = 100_000;

/// Remembers which contact, name and second are taken: for an [`Outbox`](super::Outbox) in memory.
///
/// It remembers the events that are held, and those that left in the last two minutes, as far as these are not more
/// than 100,000. It keeps 64 bits of each. Should two different events agree in these, which is next to impossible,
/// the later one is moved by a second.
#[derive(Debug)]
pub struct CollisionGuard {
    hasher: RandomState,
    held: Seconds,
    /// Events that have left: since the memory was last turned over, and before.
    recent: Seconds,
    older: Seconds,
    turned: Option<Instant>,
}

/// Taken seconds, and from each how far it is to the next that may be free.
type Seconds = HashMap<u64, u32, BuildHasherDefault<AsItIs>>;

impl CollisionGuard {
    /// One that knows of no event.
    pub fn new() -> Self {
        CollisionGuard {
            hasher: RandomState::new(),
            held: Seconds::default(),
            recent: Seconds::default(),
            older: Seconds::default(),
            turned: None,
        }
    }

    /// Finds the second where an event may stand, and takes it. The event is held from then on.
    pub fn place(&mut self, event: &DataEvent, collisions: Collisions, now: Instant) -> Placement {
        self.turn_over(now);
        let place = self.place_of(event);
        let Some(step) = self.step(place.key(0)) else {
            self.held.insert(place.key(0), 1);
            return Placement::Free;
        };
        if collisions == Collisions::Keep {
            return Placement::Collides;
        }
        let mut ahead = step;
        while let Some(step) = self.step(place.key(ahead)) {
            ahead = ahead.saturating_add(step);
        }
        self.held.insert(place.key(ahead), 1);
        // The next one that wants this second starts from where this one ended.
        for seconds in [&mut self.held, &mut self.recent, &mut self.older] {
            if let Some(step) = seconds.get_mut(&place.key(0)) {
                *step = ahead.saturating_add(1);
            }
        }
        Placement::Moved(Timestamp::from_unix_seconds(place.second.saturating_add(ahead.into())))
    }

    /// Takes back what [`place`](Self::place) did for an event that was not accepted after all.
    pub fn withdraw(&mut self, event: &DataEvent) {
        let key = self.place_of(event).key(0);
        self.held.remove(&key);
    }

    /// Notes that an event, as it was placed, is no longer held. It is remembered for a while.
    pub fn release(&mut self, event: &DataEvent, now: Instant) {
        self.turn_over(now);
        let key = self.place_of(event).key(0);
        if let Some(step) = self.held.remove(&key) {
            self.recent.insert(key, step);
        }
    }

    fn step(&self, key: u64) -> Option<u32> {
        [&self.held, &self.recent, &self.older]
            .iter()
            .find_map(|seconds| seconds.get(&key))
            .copied()
    }

    /// Forgets the older half of the memory when its time has come.
    fn turn_over(&mut self, now: Instant) {
        let turned = *self.turned.get_or_insert(now);
        let since = now.saturating_duration_since(turned);
        if since < MEMORY && self.recent.len() < REMEMBERED {
            return;
        }
        self.turned = Some(now);
        self.older = std::mem::take(&mut self.recent);
        if since >= 2 * MEMORY {
            self.older.clear();
        }
        // What a burst needed is given back.
        if self.held.len() < self.held.capacity() / 8 {
            self.held.shrink_to(2 * self.held.len());
        }
    }

    fn place_of(&self, event: &DataEvent) -> Place {
        let mut hasher = self.hasher.build_hasher();
        fold(event.name(), &mut hasher);
        let contact = event.contact();
        for identifier in [contact.as_user_id(), contact.as_contact_id()] {
            identifier.hash(&mut hasher);
        }
        if let Some(email) = contact.as_email() {
            fold(email, &mut hasher);
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

/// Hashes a text in lower case, and its end.
fn fold(text: &str, hasher: &mut impl Hasher) {
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
    hasher.write_u8(0xFF);
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
