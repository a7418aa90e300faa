//! Reviews an event before its admission, in this order: erasures, consent, rules.
//!
//! Collisions come after that, in [`admission`](super::admission), because a rule may rename an
//! event.
//!
//! From the beginning of an erasure, the engine begins no request for the contact. The outbox
//! deletes the contact's events in one transaction. Then the engine drops its leased events, waits
//! for the requests in flight, and reports them. A later settlement changes nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use intercom_core::{Contact, DataEvent};
use intercom_rules::{Applied, Rules};
use tokio::sync::oneshot;

use super::prefetch::Job;
use crate::outbox::{Lease, Ruling, Stage, Tombstones, share_identifier};
use crate::policy::{Consent, InFlight};

/// The hook that decides whether to send an event.
pub(crate) type ConsentHook = Box<dyn Fn(&Contact, &DataEvent) -> Consent + Send + Sync>;

/// The delay of an event after a panic of the consent hook.
const PANIC_DELAY: Duration = Duration::from_secs(60);

/// The checks of each event.
#[derive(Default)]
pub(crate) struct Review {
    rules: Rules,
    consent: Option<ConsentHook>,
    tombstones: Arc<Tombstones>,
    /// Erasures of this process that are not in the engine's tombstones yet.
    erasures: Vec<Erasure>,
    /// Whether there is any check.
    is_needed: bool,
}

/// The result of a review.
#[derive(Default)]
pub(crate) struct Reviewed {
    /// The event's end or delay, unless it is sent now.
    pub(crate) ruling: Option<Ruling>,
    /// The event to send instead.
    pub(crate) renamed: Option<DataEvent>,
    pub(crate) derived: Vec<DataEvent>,
    /// The rule that drops it.
    pub(crate) dropped_by: Option<Arc<str>>,
    /// Whether the consent hook panicked.
    pub(crate) panicked: bool,
}

impl Reviewed {
    fn ruling(ruling: Ruling) -> Self {
        Reviewed { ruling: Some(ruling), ..Reviewed::default() }
    }
}

impl Review {
    pub(crate) fn new(rules: Rules, consent: Option<ConsentHook>) -> Self {
        let mut review = Review { rules, consent, ..Review::default() };
        review.look();
        review
    }

    /// Returns whether any check exists. Without one, it costs a branch an event.
    pub(crate) fn is_needed(&self) -> bool {
        self.is_needed
    }

    fn look(&mut self) {
        self.is_needed = !self.rules.is_empty()
            || self.consent.is_some()
            || !self.tombstones.is_empty()
            || !self.erasures.is_empty();
    }

    /// Sets the outbox's tombstones. They include those of confirmed erasures.
    pub(crate) fn set_tombstones(&mut self, tombstones: Arc<Tombstones>) {
        let version = tombstones.version();
        self.erasures.retain(|erasure| !erasure.is_over(version));
        self.tombstones = tombstones;
        self.look();
    }

    /// Reviews a leased event.
    pub(crate) fn review(&self, lease: &Lease) -> Reviewed {
        let Lease { event, stage, .. } = lease;
        if self.tombstones.contains(event.contact()) {
            return Reviewed::ruling(Ruling::Withhold);
        }
        // Events that were put back have passed before.
        if *stage == Stage::Admitted {
            return Reviewed::default();
        }
        if let Some(consent) = &self.consent {
            let asked = catch_unwind(AssertUnwindSafe(|| consent(event.contact(), event)));
            match asked {
                Ok(Consent::Given) => {}
                Ok(Consent::Denied) => return Reviewed::ruling(Ruling::Withhold),
                Ok(Consent::Later(after)) => return Reviewed::ruling(Ruling::Defer { after }),
                Err(_) => {
                    let ruling = Ruling::Defer { after: PANIC_DELAY };
                    return Reviewed { panicked: true, ..Reviewed::ruling(ruling) };
                }
            }
        }
        if *stage != Stage::New {
            return Reviewed::default();
        }
        let Some(Applied { renamed, dropped_by, derived, .. }) = self.rules.apply(event) else {
            return Reviewed::default();
        };
        let ruling = dropped_by.is_some().then_some(Ruling::Drop);
        Reviewed { ruling, renamed, derived, dropped_by, panicked: false }
    }

    // Erasures.

    /// Returns whether events of this contact must not be sent.
    pub(crate) fn withholds(&self, contact: &Contact) -> bool {
        let is_erased = |erasure: &Erasure| share_identifier(&erasure.contact, contact);
        self.tombstones.contains(contact) || self.erasures.iter().any(is_erased)
    }

    pub(crate) fn begin_erasure(&mut self, erasure: Erasure) {
        self.erasures.push(erasure);
        self.look();
    }

    /// Keeps an event until the outbox has finished the erasure of its contact. Drops an event that
    /// it has deleted.
    pub(super) fn hold(&mut self, job: Job) {
        let contact = job.lease.event.contact();
        let mut erasures = self.erasures.iter_mut();
        let open = erasures.find(|erasure| {
            erasure.version.is_none() && share_identifier(&erasure.contact, contact)
        });
        if let Some(erasure) = open {
            erasure.held.push(job);
        }
    }

    /// Records whether the outbox has erased a contact. Returns the events to continue with.
    pub(super) fn end_erasure(&mut self, contact: &Contact, version: Option<u64>) -> Vec<Job> {
        let is_open = |erasure: &Erasure| erasure.version.is_none() && erasure.contact == *contact;
        let Some(place) = self.erasures.iter().position(is_open) else { return Vec::new() };
        if version.is_none() {
            let erasure = self.erasures.remove(place);
            self.look();
            return erasure.held;
        }
        let erasure = &mut self.erasures[place];
        erasure.version = version;
        erasure.held.clear();
        let version = self.tombstones.version();
        self.erasures.retain(|erasure| !erasure.is_over(version));
        self.look();
        Vec::new()
    }

    /// Drops confirmed erasures of a forgiven contact.
    pub(crate) fn forgive(&mut self, contact: &Contact) {
        self.erasures.retain(|erasure| {
            erasure.version.is_none() || !share_identifier(&erasure.contact, contact)
        });
        self.look();
    }

    /// Records that a request has ended.
    pub(crate) fn ended(&mut self, number: u64, of: Option<(&Contact, &InFlight)>) {
        for erasure in &mut self.erasures {
            erasure.ended(number, of);
        }
    }

    /// Returns whether an erasure is under way.
    pub(crate) fn is_erasing(&self) -> bool {
        !self.erasures.is_empty()
    }

    /// Ends all waits, because another engine delivers now.
    pub(crate) fn leave_turn(&mut self) {
        for erasure in &mut self.erasures {
            erasure.held.clear();
            erasure.answer();
        }
    }
}

/// An erasure by this process.
pub(crate) struct Erasure {
    contact: Contact,
    /// Requests with a lower number were in flight when it began.
    before: u64,
    /// The number of those still in flight.
    waiting: usize,
    in_flight: Vec<InFlight>,
    reply: Option<oneshot::Sender<Vec<InFlight>>>,
    /// The leased events of the contact.
    held: Vec<Job>,
    /// The version of the tombstones from which the outbox includes it.
    version: Option<u64>,
}

impl Erasure {
    /// Begins an erasure while `in_flight` requests run, all with numbers below `before`.
    pub(crate) fn new(
        contact: Contact,
        before: u64,
        waiting: usize,
        reply: oneshot::Sender<Vec<InFlight>>,
    ) -> Self {
        let (in_flight, held) = (Vec::new(), Vec::new());
        let reply = Some(reply);
        let mut erasure =
            Erasure { contact, before, waiting, in_flight, reply, held, version: None };
        if waiting == 0 {
            erasure.answer();
        }
        erasure
    }

    fn ended(&mut self, number: u64, of: Option<(&Contact, &InFlight)>) {
        if number >= self.before || self.reply.is_none() {
            return;
        }
        if let Some((_, sent)) = of.filter(|(contact, _)| share_identifier(&self.contact, contact))
        {
            self.in_flight.push(sent.clone());
        }
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0 {
            self.answer();
        }
    }

    fn answer(&mut self) {
        if let Some(reply) = self.reply.take() {
            // The caller may have stopped waiting.
            let _ = reply.send(std::mem::take(&mut self.in_flight));
        }
    }

    /// Returns whether this version of the tombstones includes it, and no caller waits for it.
    fn is_over(&self, version: u64) -> bool {
        self.reply.is_none() && self.version.is_some_and(|own| own <= version)
    }
}
