//! Contacts that Intercom does not know: what becomes of their events.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use intercom_core::Contact;
use tokio::time::Instant;

use crate::outbox::{EventId, Lease};
use crate::retry::{RetryPolicy, backoff};

/// What becomes of an event whose contact Intercom does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownContact {
    /// It ends in the dead letters.
    DeadLetter,
    /// It is sent again for so long, counted from when the contact was first found unknown, and ends in the dead
    /// letters then. An event that is sent right after its contact was made may find it unknown for a moment.
    RetryFor(Duration),
    /// The contact is created, once, as a user, and the event sent again.
    Create,
}

impl UnknownContact {
    /// What is done unless told otherwise: an event is sent again for a minute.
    pub const DEFAULT: UnknownContact = UnknownContact::RetryFor(Duration::from_secs(60));
}

impl Default for UnknownContact {
    fn default() -> Self {
        UnknownContact::DEFAULT
    }
}

/// How long a contact that was created may still be unknown to events.
const RACE: Duration = Duration::from_secs(30);

/// The least wait before an event is sent again to a contact that was just created.
const RACE_WAIT: Duration = Duration::from_millis(250);

/// How long the answer that contacts may not be created is believed.
const REFUSED_BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5 * 60));

/// How many contacts are remembered after their creation before the old ones are forgotten.
const REMEMBERED: usize = 10_000;

pub(crate) struct Contacts {
    policy: UnknownContact,
    states: HashMap<Contact, State>,
    to_create: VecDeque<Contact>,
    parked: usize,
    /// Since when the contacts of these events are unknown, where they are sent again.
    unknown_since: HashMap<EventId, Instant>,
    refused: Option<Refused>,
}

enum State {
    /// Its creation is wanted or under way, and these events wait for it.
    Creating(Vec<Lease>),
    /// It was created at this time.
    Created(Instant),
}

/// Intercom does not let us create contacts.
struct Refused {
    until: Instant,
    tries: u32,
}

/// What becomes of an event.
pub(crate) enum Fate {
    /// It is sent.
    Send(Lease),
    /// It is given up.
    Bury(Lease),
    /// It is sent again in so long; whether that spends an attempt.
    Retry(Lease, Duration, bool),
    /// It waits here until its contact is created.
    Parked,
}

impl Contacts {
    pub(crate) fn new(policy: UnknownContact) -> Self {
        Contacts {
            policy,
            states: HashMap::new(),
            to_create: VecDeque::new(),
            parked: 0,
            unknown_since: HashMap::new(),
            refused: None,
        }
    }

    /// Decides about an event whose contact was found unknown. At most so many are parked.
    pub(crate) fn unknown(
        &mut self,
        lease: Lease,
        retry: &RetryPolicy,
        most_parked: usize,
        now: Instant,
        roll: f64,
    ) -> Fate {
        match self.policy {
            UnknownContact::DeadLetter => Fate::Bury(lease),
            UnknownContact::RetryFor(time) => {
                let since = *self.unknown_since.entry(lease.id).or_insert(now);
                let left = time.saturating_sub(now.saturating_duration_since(since));
                if left.is_zero() {
                    return Fate::Bury(lease);
                }
                let wait = retry.backoff(lease.attempts, roll).min(left);
                Fate::Retry(lease, wait, true)
            }
            UnknownContact::Create => self.create(lease, most_parked, now),
        }
    }

    fn create(&mut self, lease: Lease, most_parked: usize, now: Instant) -> Fate {
        if let Some(refused) = &self.refused
            && now < refused.until
        {
            let wait = refused.until - now;
            return Fate::Retry(lease, wait, false);
        }
        let contact = lease.event.contact();
        match self.states.get_mut(contact) {
            None => {
                let contact = contact.clone();
                self.to_create.push_back(contact.clone());
                self.states.insert(contact, State::Creating(vec![lease]));
                self.parked += 1;
                Fate::Parked
            }
            Some(State::Creating(waiting)) if self.parked < most_parked => {
                waiting.push(lease);
                self.parked += 1;
                Fate::Parked
            }
            Some(State::Creating(_)) => Fate::Retry(lease, RACE_WAIT, false),
            Some(State::Created(at)) => {
                let since = now.saturating_duration_since(*at);
                if since < RACE {
                    // The longer it takes, the longer it may take.
                    return Fate::Retry(lease, (since / 2).max(RACE_WAIT), false);
                }
                // It is there, and yet unknown: that is no race.
                self.states.remove(contact);
                Fate::Bury(lease)
            }
        }
    }

    /// Decides about an event that is to be sent: it waits if its contact is being created.
    pub(crate) fn admit(&mut self, lease: Lease, most_parked: usize) -> Fate {
        if self.parked == 0 {
            return Fate::Send(lease);
        }
        match self.states.get_mut(lease.event.contact()) {
            Some(State::Creating(waiting)) if self.parked < most_parked => {
                waiting.push(lease);
                self.parked += 1;
                Fate::Parked
            }
            Some(State::Creating(_)) => Fate::Retry(lease, RACE_WAIT, false),
            _ => Fate::Send(lease),
        }
    }

    /// The next contact that is to be created.
    pub(crate) fn next_to_create(&mut self) -> Option<Contact> {
        self.to_create.pop_front()
    }

    /// A contact is there now. Gives the events that waited for it.
    pub(crate) fn created(&mut self, contact: Contact, now: Instant) -> Vec<Lease> {
        self.refused = None;
        if self.states.len() >= REMEMBERED {
            self.states.retain(|_, state| match state {
                State::Creating(_) => true,
                State::Created(at) => now.saturating_duration_since(*at) < RACE,
            });
        }
        let before = self.states.insert(contact, State::Created(now));
        self.unpark(before)
    }

    /// A contact could not be created. Gives the events that waited for it.
    pub(crate) fn not_created(&mut self, contact: &Contact) -> Vec<Lease> {
        let before = self.states.remove(contact);
        self.unpark(before)
    }

    /// Intercom does not let us create contacts: it is not asked to for a while. Says whether that is news.
    pub(crate) fn refused(&mut self, now: Instant) -> bool {
        let tries = self.refused.as_ref().map_or(0, |refused| refused.tries.saturating_add(1));
        let (base, cap) = REFUSED_BACKOFF;
        self.refused = Some(Refused { until: now + backoff(base, cap, tries), tries });
        tries == 0
    }

    /// Nothing that was refused before needs be refused again.
    pub(crate) fn resume(&mut self) {
        self.refused = None;
    }

    /// An event has left, and nothing more needs be known of it.
    pub(crate) fn forget(&mut self, id: EventId) {
        if !self.unknown_since.is_empty() {
            self.unknown_since.remove(&id);
        }
    }

    /// Gives all events that wait here.
    pub(crate) fn take_parked(&mut self) -> Vec<Lease> {
        self.to_create.clear();
        self.parked = 0;
        let waiting = |(_, state)| match state {
            State::Creating(waiting) => waiting,
            State::Created(_) => Vec::new(),
        };
        self.states.drain().flat_map(waiting).collect()
    }

    fn unpark(&mut self, state: Option<State>) -> Vec<Lease> {
        let Some(State::Creating(waiting)) = state else { return Vec::new() };
        self.parked -= waiting.len();
        waiting
    }
}
