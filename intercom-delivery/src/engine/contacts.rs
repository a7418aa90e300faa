//! Unknown contacts: their creation, and their events meanwhile.
//!
//! Pure: the caller passes the time and the jitter. An event waits here, parked, until the creation
//! of its contact has ended.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use intercom_core::Contact;
use tokio::time::Instant;

use super::prefetch::Job;
use crate::outbox::{DeadLetterReason, EventId};
use crate::policy::{MAX_PANICS, RetryPolicy, UnknownContact, backoff};
use crate::time::later;

/// How long Intercom may not find a contact after its creation.
const RACE: Duration = Duration::from_secs(30);

/// The shortest wait before the engine sends an event again after the creation of its contact.
const RACE_WAIT: Duration = Duration::from_millis(250);

/// How long a created contact counts as unusable if events still find it unknown. The engine does
/// not create it again meanwhile.
const UNUSABLE: Duration = Duration::from_secs(10 * 60);

/// The first and the longest wait between creations while Intercom refuses them.
const REFUSED_BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5 * 60));

/// The number of contacts at which the engine drops stale ones.
const REMEMBERED: usize = 10_000;

/// The limit of parked events.
const PARKED: usize = 10_000;

/// The delay of an event at that limit.
const CROWDED_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Contacts {
    policy: UnknownContact,
    /// By their keys: email addresses that differ only in case are one contact.
    states: HashMap<Contact, ContactState>,
    /// Contacts to create now, and after failures.
    to_create: VecDeque<Contact>,
    to_create_later: BTreeMap<(Instant, u64), Contact>,
    /// The number of failed creations.
    setbacks: u64,
    parked: usize,
    /// For each repeated event, since when its contact is unknown.
    unknown_since: HashMap<EventId, Instant>,
    refused: Option<Refusals>,
}

enum ContactState {
    /// Its creation is due or in flight, and these events are parked.
    Creating(Creating),
    /// Created at this time. Intercom has accepted no event of it since.
    Created(Instant),
    /// Created, but events still find it unknown. This holds until the given time.
    Unusable(Instant),
}

#[derive(Default)]
struct Creating {
    parked: Vec<Job>,
    failures: u32,
    panics: u32,
}

/// Intercom refuses to create contacts.
struct Refusals {
    until: Instant,
    probes: u32,
    /// Whether a creation that probes is in flight.
    probing: bool,
}

/// The result of a failed creation.
#[derive(Default)]
pub(super) struct AfterSetback {
    /// Why the engine gives up the creation.
    pub(super) given_up: Option<DeadLetterReason>,
    /// Whether the refusal is new and must be logged.
    pub(super) is_news: bool,
}

/// The decision about an event with an unknown contact.
pub(super) enum Disposition {
    /// It becomes a dead letter.
    Bury(Job),
    /// Puts the event back.
    Retry { job: Job, after: Duration, spends_attempt: bool },
    /// Parks the event until the creation of its contact.
    Parked,
}

/// Why a creation failed for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setback {
    /// The rate limit or the token: nothing to do with the contact.
    Held,
    /// A temporary failure.
    Failed,
    /// The transport panicked.
    Panicked,
    /// Intercom refuses to create contacts.
    Refused,
}

impl Contacts {
    pub(super) fn new(policy: UnknownContact) -> Self {
        Contacts {
            policy,
            states: HashMap::new(),
            to_create: VecDeque::new(),
            to_create_later: BTreeMap::new(),
            setbacks: 0,
            parked: 0,
            unknown_since: HashMap::new(),
            refused: None,
        }
    }

    /// Decides about an event whose contact Intercom does not know.
    pub(super) fn unknown(
        &mut self,
        job: Job,
        retry: &RetryPolicy,
        now: Instant,
        roll: f64,
    ) -> Disposition {
        match self.policy {
            UnknownContact::DeadLetter => Disposition::Bury(job),
            UnknownContact::RetryFor(time) => {
                let since = *self.unknown_since.entry(job.lease.id).or_insert(now);
                let left = time.saturating_sub(now.saturating_duration_since(since));
                if left.is_zero() || retry.spends_last(job.lease.attempts) {
                    return Disposition::Bury(job);
                }
                let wait = retry.backoff(job.lease.attempts, roll).min(left);
                Disposition::Retry { job, after: wait, spends_attempt: true }
            }
            UnknownContact::Create => self.create(job, now),
        }
    }

    fn create(&mut self, job: Job, now: Instant) -> Disposition {
        let contact = job.lease.event.contact();
        let key = key(contact).into_owned();
        match self.states.get_mut(&key) {
            Some(ContactState::Creating(_)) => self.park(job),
            Some(ContactState::Created(at)) => {
                let since = now.saturating_duration_since(*at);
                if since < RACE {
                    // Waits in proportion to the time so far.
                    let after = (since / 2).max(RACE_WAIT);
                    return Disposition::Retry { job, after, spends_attempt: false };
                }
                self.states.insert(key, ContactState::Unusable(later(now, UNUSABLE)));
                Disposition::Bury(job)
            }
            Some(ContactState::Unusable(until)) if now < *until => Disposition::Bury(job),
            Some(ContactState::Unusable(_)) | None => {
                self.make_room(now);
                self.to_create.push_back(contact.clone());
                self.states.insert(key, ContactState::Creating(Creating::default()));
                self.park(job)
            }
        }
    }

    /// Returns whether a creation of this contact is due or in flight, so that its events must be
    /// parked.
    pub(super) fn is_creating(&self, contact: &Contact) -> bool {
        !self.states.is_empty()
            && matches!(self.states.get(&*key(contact)), Some(ContactState::Creating(_)))
    }

    /// Parks an event until the creation of its contact, if there is room.
    pub(super) fn park(&mut self, job: Job) -> Disposition {
        let key = key(job.lease.event.contact()).into_owned();
        match self.states.get_mut(&key) {
            Some(ContactState::Creating(creating)) if self.parked < PARKED => {
                creating.parked.push(job);
                self.parked += 1;
                Disposition::Parked
            }
            _ => Disposition::Retry { job, after: CROWDED_WAIT, spends_attempt: false },
        }
    }

    /// Drops a parked event. Returns whether it was there.
    pub(super) fn remove(&mut self, id: EventId) -> bool {
        for state in self.states.values_mut() {
            let ContactState::Creating(Creating { parked, .. }) = state else { continue };
            if let Some(at) = parked.iter().position(|job| job.lease.id == id) {
                parked.remove(at);
                self.parked -= 1;
                return true;
            }
        }
        false
    }

    /// Records that Intercom accepted an event of this contact.
    pub(super) fn known(&mut self, contact: &Contact) {
        if !self.states.is_empty() && !self.is_creating(contact) {
            self.states.remove(&*key(contact));
        }
    }

    /// Takes the next contact to create.
    pub(super) fn next_to_create(&mut self, now: Instant) -> Option<Contact> {
        if self.refused.as_ref().is_some_and(|refused| refused.probing || now < refused.until) {
            return None;
        }
        loop {
            let contact = match self.to_create_later.first_entry() {
                Some(entry) if entry.key().0 <= now => entry.remove(),
                _ => self.to_create.pop_front()?,
            };
            // The engine may have given up the creation meanwhile.
            if self.is_creating(&contact) {
                if let Some(refused) = &mut self.refused {
                    refused.probing = true;
                }
                return Some(contact);
            }
        }
    }

    /// Returns when the next creation may begin.
    pub(super) fn next_action(&self) -> Option<Instant> {
        let refused = self.refused.as_ref().map(|refused| refused.until);
        match (self.to_create.is_empty(), self.to_create_later.keys().next()) {
            (false, _) => refused,
            (true, later) => later.map(|(time, _)| refused.map_or(*time, |until| until.max(*time))),
        }
    }

    /// Records the creation of a contact. Returns its parked events.
    pub(super) fn created(&mut self, contact: Contact, now: Instant) -> Vec<Job> {
        self.refused = None;
        let before = self.states.insert(key(&contact).into_owned(), ContactState::Created(now));
        self.unpark(before)
    }

    /// Records the failure of a creation. Returns the contact's parked events.
    pub(super) fn not_created(&mut self, contact: &Contact) -> Vec<Job> {
        if let Some(refused) = &mut self.refused {
            refused.probing = false;
        }
        let before = self.states.remove(&*key(contact));
        self.unpark(before)
    }

    /// Records that a creation failed. The engine tries again, up to the maximum number of
    /// attempts.
    pub(super) fn set_back(
        &mut self,
        contact: Contact,
        setback: Setback,
        retry: &RetryPolicy,
        now: Instant,
        roll: f64,
    ) -> AfterSetback {
        let mut after = AfterSetback::default();
        if let Some(refused) = &mut self.refused {
            refused.probing = false;
        }
        let Some(ContactState::Creating(creating)) = self.states.get_mut(&*key(&contact)) else {
            return after;
        };
        match setback {
            Setback::Held => self.to_create.push_front(contact),
            Setback::Refused => {
                self.to_create.push_front(contact);
                let probes = match &self.refused {
                    // Creations in flight together count as one probe.
                    Some(refused) if now < refused.until => return after,
                    Some(refused) => refused.probes.saturating_add(1),
                    None => 0,
                };
                let (base, cap) = REFUSED_BACKOFF;
                let until = later(now, backoff(base, cap, probes));
                self.refused = Some(Refusals { until, probes, probing: false });
                after.is_news = probes == 0;
            }
            Setback::Failed | Setback::Panicked => {
                creating.panics += u32::from(setback == Setback::Panicked);
                if creating.panics >= MAX_PANICS {
                    after.given_up = Some(DeadLetterReason::Panic);
                } else if retry.spends_last(creating.failures) {
                    after.given_up = Some(DeadLetterReason::ContactNotCreated);
                } else {
                    let time = later(now, retry.backoff(creating.failures, roll));
                    creating.failures = creating.failures.saturating_add(1);
                    self.setbacks += 1;
                    self.to_create_later.insert((time, self.setbacks), contact);
                }
            }
        }
        after
    }

    /// Makes all creations due at once.
    pub(super) fn resume(&mut self) {
        self.refused = None;
        self.to_create.extend(std::mem::take(&mut self.to_create_later).into_values());
    }

    /// Drops a settled event.
    pub(super) fn forget(&mut self, id: EventId) {
        if !self.unknown_since.is_empty() {
            self.unknown_since.remove(&id);
        }
    }

    /// Drops all events and creations, because this engine no longer delivers.
    pub(super) fn clear(&mut self) {
        *self = Contacts::new(self.policy);
    }

    /// Drops stale contacts if there are many.
    fn make_room(&mut self, now: Instant) {
        if self.states.len() < REMEMBERED {
            return;
        }
        self.states.retain(|_, state| match state {
            ContactState::Creating(_) => true,
            ContactState::Created(at) => now.saturating_duration_since(*at) < RACE,
            ContactState::Unusable(until) => now < *until,
        });
    }

    fn unpark(&mut self, state: Option<ContactState>) -> Vec<Job> {
        let Some(ContactState::Creating(creating)) = state else { return Vec::new() };
        self.parked -= creating.parked.len();
        creating.parked
    }
}

/// Returns a contact's key. It ignores the case of email addresses, as a [slot](crate::Slot) does:
/// two spellings of one address must not become two contacts.
fn key(contact: &Contact) -> Cow<'_, Contact> {
    match contact.as_email() {
        Some(email) if email.chars().any(|c| !c.is_ascii() || c.is_ascii_uppercase()) => {
            Cow::Owned(contact.clone().with_email(email.to_lowercase()))
        }
        _ => Cow::Borrowed(contact),
    }
}

#[cfg(test)]
mod tests;
