//! Contacts that Intercom does not know: what becomes of their events.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use intercom_core::Contact;
use tokio::time::Instant;

use crate::outbox::{DeathReason, EventId, Lease};
use crate::retry::{MAX_PANICS, RetryPolicy, backoff};
use crate::time::later;

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

/// How long it is believed of a contact that it is there and yet unknown to events. Nothing is created for it then.
const USELESS: Duration = Duration::from_secs(10 * 60);

/// How long the answer that contacts may not be created is believed: at first, and at most.
const REFUSED_BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5 * 60));

/// How many contacts are remembered before those are forgotten of which nothing more is to be expected.
const REMEMBERED: usize = 10_000;

/// How many events may wait here for their contacts.
const PARKED: usize = 10_000;

/// How long an event for which there is no room here is not looked at.
const CROWDED: Duration = Duration::from_secs(5);

pub(crate) struct Contacts {
    policy: UnknownContact,
    states: HashMap<Contact, State>,
    /// Contacts whose creation is wanted: now, and after failures.
    to_create: VecDeque<Contact>,
    to_create_later: BTreeMap<(Instant, u64), Contact>,
    /// How often a creation failed.
    setbacks: u64,
    parked: usize,
    /// How long an event is parked at the most, because it is leased for a time; and when it is looked for those that
    /// have been for longer.
    most_parked: Duration,
    look_for_overdue: Option<Instant>,
    /// Since when the contacts of these events are unknown, where they are sent again.
    unknown_since: HashMap<EventId, Instant>,
    refused: Option<Refused>,
}

enum State {
    /// Its creation is wanted or under way, and these events wait for it.
    Creating(Creating),
    /// It was created at this time, and no event of it was taken since.
    Created(Instant),
    /// It was created, and is unknown all the same: until this time that is believed.
    Useless(Instant),
}

#[derive(Default)]
struct Creating {
    waiting: Vec<Parked>,
    failures: u32,
    panics: u32,
}

struct Parked {
    since: Instant,
    lease: Lease,
}

/// Intercom does not let us create contacts.
struct Refused {
    until: Instant,
    tries: u32,
    /// Whether one creation tries if that is over.
    tried: bool,
}

/// What a setback led to.
pub(crate) struct Set {
    /// Why the contact is not tried again.
    pub(crate) given_up: Option<DeathReason>,
    /// Whether it is news that contacts may not be created.
    pub(crate) news: bool,
}

/// What becomes of an event whose contact is not known.
pub(crate) enum Fate {
    /// It is given up.
    Bury(Lease),
    /// It is sent again in so long; whether that spends an attempt.
    Retry(Lease, Duration, bool),
    /// It waits here until its contact is created.
    Parked,
}

/// Why a creation did not succeed, and may later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setback {
    /// For a reason that has nothing to do with it: the rate limit, or the token.
    Held,
    /// Something failed that may pass.
    Failed,
    /// The transport panicked.
    Panicked,
    /// Contacts may not be created.
    Refused,
}

impl Contacts {
    pub(crate) fn new(policy: UnknownContact, most_parked: Duration) -> Self {
        Contacts {
            policy,
            states: HashMap::new(),
            to_create: VecDeque::new(),
            to_create_later: BTreeMap::new(),
            setbacks: 0,
            parked: 0,
            most_parked,
            look_for_overdue: None,
            unknown_since: HashMap::new(),
            refused: None,
        }
    }

    /// Decides about an event whose contact was found unknown.
    pub(crate) fn unknown(
        &mut self,
        lease: Lease,
        retry: &RetryPolicy,
        now: Instant,
        roll: f64,
    ) -> Fate {
        match self.policy {
            UnknownContact::DeadLetter => Fate::Bury(lease),
            UnknownContact::RetryFor(time) => {
                let since = *self.unknown_since.entry(lease.id).or_insert(now);
                let left = time.saturating_sub(now.saturating_duration_since(since));
                if left.is_zero() || retry.spends_last(lease.attempts) {
                    return Fate::Bury(lease);
                }
                let wait = retry.backoff(lease.attempts, roll).min(left);
                Fate::Retry(lease, wait, true)
            }
            UnknownContact::Create => self.create(lease, now),
        }
    }

    fn create(&mut self, lease: Lease, now: Instant) -> Fate {
        let contact = lease.event.contact();
        match self.states.get_mut(contact) {
            Some(State::Creating(_)) => self.park(lease, now),
            Some(State::Created(at)) => {
                let since = now.saturating_duration_since(*at);
                if since < RACE {
                    // The longer it takes, the longer it may take.
                    return Fate::Retry(lease, (since / 2).max(RACE_WAIT), false);
                }
                self.states.insert(contact.clone(), State::Useless(later(now, USELESS)));
                Fate::Bury(lease)
            }
            Some(State::Useless(until)) if now < *until => Fate::Bury(lease),
            Some(State::Useless(_)) | None => {
                self.make_room(now);
                self.to_create.push_back(contact.clone());
                self.states.insert(contact.clone(), State::Creating(Creating::default()));
                self.park(lease, now)
            }
        }
    }

    /// Whether this contact is being created, so that its events are to be [parked](Self::park).
    pub(crate) fn is_creating(&self, contact: &Contact) -> bool {
        matches!(self.states.get(contact), Some(State::Creating(_)))
    }

    /// Keeps an event here until its contact is created, if there is room.
    pub(crate) fn park(&mut self, lease: Lease, now: Instant) -> Fate {
        match self.states.get_mut(lease.event.contact()) {
            Some(State::Creating(creating)) if self.parked < PARKED => {
                creating.waiting.push(Parked { since: now, lease });
                self.parked += 1;
                self.look_for_overdue.get_or_insert(later(now, self.most_parked));
                Fate::Parked
            }
            _ => Fate::Retry(lease, CROWDED, false),
        }
    }

    /// An event of this contact was taken: whatever is remembered of it is over.
    pub(crate) fn known(&mut self, contact: &Contact) {
        if !self.states.is_empty() && !self.is_creating(contact) {
            self.states.remove(contact);
        }
    }

    /// The next contact that is to be created now.
    pub(crate) fn next_to_create(&mut self, now: Instant) -> Option<Contact> {
        if self.refused.as_ref().is_some_and(|refused| refused.tried || now < refused.until) {
            return None;
        }
        loop {
            let contact = match self.to_create_later.first_entry() {
                Some(entry) if entry.key().0 <= now => entry.remove(),
                _ => self.to_create.pop_front()?,
            };
            // It may have been given up meanwhile.
            if self.is_creating(&contact) {
                if let Some(refused) = &mut self.refused {
                    refused.tried = true;
                }
                return Some(contact);
            }
        }
    }

    /// When there is something to do here that cannot be done now.
    pub(crate) fn next_action(&self) -> Option<Instant> {
        let refused = self.refused.as_ref().map(|refused| refused.until);
        let creation = match (self.to_create.is_empty(), self.to_create_later.keys().next()) {
            (false, _) => refused,
            (true, later) => later.map(|(time, _)| refused.map_or(*time, |until| until.max(*time))),
        };
        [creation, self.look_for_overdue].into_iter().flatten().min()
    }

    /// Gives the events that have been parked for too long. It is looked for them about once in the time that they may be.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<Lease> {
        let mut overdue = Vec::new();
        if self.look_for_overdue.is_none_or(|time| now < time) {
            return overdue;
        }
        let most = self.most_parked;
        let mut oldest = None::<Instant>;
        for state in self.states.values_mut() {
            let State::Creating(creating) = state else { continue };
            let late = |parked: &mut Parked| later(parked.since, most) <= now;
            overdue.extend(creating.waiting.extract_if(.., late).map(|parked| parked.lease));
            let first = creating.waiting.first().map(|parked| parked.since);
            oldest = [oldest, first].into_iter().flatten().min();
        }
        self.parked -= overdue.len();
        self.look_for_overdue = oldest.map(|since| later(since, most));
        overdue
    }

    /// A contact is there now. Gives the events that waited for it.
    pub(crate) fn created(&mut self, contact: Contact, now: Instant) -> Vec<Lease> {
        self.refused = None;
        let before = self.states.insert(contact, State::Created(now));
        self.unpark(before)
    }

    /// A contact cannot be created. Gives the events that waited for it.
    pub(crate) fn not_created(&mut self, contact: &Contact) -> Vec<Lease> {
        if let Some(refused) = &mut self.refused {
            refused.tried = false;
        }
        let before = self.states.remove(contact);
        self.unpark(before)
    }

    /// A contact was not created, and it is tried again, unless it has been tried often enough.
    pub(crate) fn set_back(
        &mut self,
        contact: Contact,
        setback: Setback,
        retry: &RetryPolicy,
        now: Instant,
        roll: f64,
    ) -> Set {
        let mut set = Set { given_up: None, news: false };
        if let Some(refused) = &mut self.refused {
            refused.tried = false;
        }
        let Some(State::Creating(creating)) = self.states.get_mut(&contact) else { return set };
        match setback {
            Setback::Held => self.to_create.push_front(contact),
            Setback::Refused => {
                self.to_create.push_front(contact);
                let tries = match &self.refused {
                    // Those that were under way together are one try.
                    Some(refused) if now < refused.until => return set,
                    Some(refused) => refused.tries.saturating_add(1),
                    None => 0,
                };
                let (base, cap) = REFUSED_BACKOFF;
                let until = later(now, backoff(base, cap, tries));
                self.refused = Some(Refused { until, tries, tried: false });
                set.news = tries == 0;
            }
            Setback::Failed | Setback::Panicked => {
                creating.panics += u32::from(setback == Setback::Panicked);
                if creating.panics >= MAX_PANICS {
                    set.given_up = Some(DeathReason::Panic);
                } else if retry.spends_last(creating.failures) {
                    set.given_up = Some(DeathReason::ContactNotCreated);
                } else {
                    let time = later(now, retry.backoff(creating.failures, roll));
                    creating.failures = creating.failures.saturating_add(1);
                    self.setbacks += 1;
                    self.to_create_later.insert((time, self.setbacks), contact);
                }
            }
        }
        set
    }

    /// Nothing that was refused or failed before needs do so again.
    pub(crate) fn resume(&mut self) {
        self.refused = None;
        self.to_create.extend(std::mem::take(&mut self.to_create_later).into_values());
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
        self.to_create_later.clear();
        self.parked = 0;
        let waiting = |(_, state)| match state {
            State::Creating(creating) => creating.waiting,
            State::Created(_) | State::Useless(_) => Vec::new(),
        };
        self.states.drain().flat_map(waiting).map(|parked| parked.lease).collect()
    }

    /// Forgets contacts of which nothing is to be expected, when there are many.
    fn make_room(&mut self, now: Instant) {
        if self.states.len() < REMEMBERED {
            return;
        }
        self.states.retain(|_, state| match state {
            State::Creating(_) => true,
            State::Created(at) => now.saturating_duration_since(*at) < RACE,
            State::Useless(until) => now < *until,
        });
    }

    fn unpark(&mut self, state: Option<State>) -> Vec<Lease> {
        let Some(State::Creating(creating)) = state else { return Vec::new() };
        self.parked -= creating.waiting.len();
        creating.waiting.into_iter().map(|parked| parked.lease).collect()
    }
}
