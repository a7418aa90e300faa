//! The promises under test, and the outbox's profile.

use std::fmt;
use std::time::Duration;

macro_rules! promises {
    ($($(#[doc = $doc:literal])* $promise:ident = $text:literal,)*) => {
        /// What an outbox promises the processes that share it.
        ///
        /// A process is *deposed* when another takes over while it still runs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Promise {
            $($(#[doc = $doc])* $promise,)*
        }

        impl Promise {
            /// All of them.
            pub const ALL: &'static [Promise] = &[$(Promise::$promise),*];

            /// Its name in reports, such as `one deliverer`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Promise::$promise => $text,)*
                }
            }
        }
    };
}

promises! {
    /// One process delivers, under an epoch that only grows. No two processes lease in one epoch,
    /// and no process that runs is deposed.
    OneDeliverer = "one deliverer",
    /// A deposed process changes nothing. Its admissions and settlements only return the ids of
    /// their events, and its release does nothing.
    Fencing = "fencing",
    /// Another process takes over within [`handover`](FleetProfile::handover) of a release, and
    /// within [`takeover`](FleetProfile::takeover) of a `kill -9`.
    Takeover = "takeover",
    /// Another process takes over from a stopped one, within [`takeover`](FleetProfile::takeover).
    /// The stopped process is deposed when it continues.
    StoppedProcess = "stopped process",
    /// When the turn of a process begins, the process before it may begin no more requests: its
    /// [`valid_for`](crate::outbox::Leased::valid_for) has ended.
    Validity = "validity",
    /// The counts balance at every read. When no call is running, all processes read the same ones.
    Counts = "counts",
    /// A call of `accept` stores all of its events or none, also if the process is killed during
    /// the call. Each event has an id of its own. No event is leased before its commit.
    Acceptance = "acceptance",
    /// An event whose transaction commits late, after events with higher ids, is delivered too.
    LateCommit = "late commit",
    /// No two events of one contact, name and second are sent, unless one counts as collided. This
    /// holds for each event that is accepted within two minutes of its second, however late its
    /// transaction commits.
    Collisions = "collisions",
    /// All attempts of an event send the same bytes.
    SameBytes = "same bytes",
    /// What one process redrives, another delivers.
    Redrive = "redrive",
    /// Any process can bury, redrive, purge and erase at any moment. Each event is in exactly one
    /// state. An event that an operator removed is not leased again, and its settlement changes
    /// nothing. The tombstones of an erased contact come with or before its later events.
    Operators = "operators",
    /// Each accepted event is leased until its settlement, and never after it.
    Delivery = "delivery",
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the suite must know about an outbox.
#[derive(Clone, Debug)]
pub struct FleetProfile {
    pub(super) processes: usize,
    pub(super) histories: u64,
    pub(super) seed: u64,
    pub(super) steps: usize,
    pub(super) tick: Duration,
    pub(super) handover: Duration,
    pub(super) takeover: Duration,
    pub(super) accepts_at_commit: bool,
    pub(super) skipped: Vec<(Promise, String)>,
}

impl FleetProfile {
    /// Creates the profile of an outbox that keeps all promises.
    pub fn new() -> Self {
        FleetProfile {
            processes: 3,
            histories: 64,
            seed: 0,
            steps: 150,
            tick: Duration::from_secs(1),
            handover: Duration::from_secs(2),
            takeover: Duration::from_secs(10),
            accepts_at_commit: false,
            skipped: Vec::new(),
        }
    }

    /// Sets how many processes share the store: 2 or more. The default is 3.
    #[must_use]
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes.max(2);
        self
    }

    /// Sets the number of histories, always the same ones. The default is 64.
    #[must_use]
    pub fn histories(mut self, histories: u64) -> Self {
        self.histories = histories;
        self
    }

    /// Sets the seed of the first history. Each further one has the next seed. The default is 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how many steps a history has. The default is 150.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the unit of put-back delays. The default is a second.
    #[must_use]
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Sets within what time a process takes over after a release. The default is 2 seconds.
    #[must_use]
    pub fn handover(mut self, limit: Duration) -> Self {
        self.handover = limit;
        self
    }

    /// Sets within what time a process takes over from a killed or stopped one. The default is 10
    /// seconds.
    #[must_use]
    pub fn takeover(mut self, limit: Duration) -> Self {
        self.takeover = limit;
        self
    }

    /// Says that [`Process::begin`](super::Process::begin) only keeps the events, and that the store
    /// accepts them at the commit. By default, it accepts them at once, in the open transaction.
    ///
    /// If an outbox accepts an event more than two minutes after its second,
    /// [`Promise::Collisions`] does not hold for that event.
    #[must_use]
    pub fn accepts_at_commit(mut self) -> Self {
        self.accepts_at_commit = true;
        self
    }

    /// Leaves out a promise that the outbox cannot keep, with the reason. The [report](FleetReport)
    /// repeats it.
    ///
    /// # Panics
    ///
    /// Panics for any promise but [`Promise::StoppedProcess`]: every outbox must keep the others.
    #[must_use]
    pub fn skip(mut self, promise: Promise, reason: impl Into<String>) -> Self {
        assert!(
            promise == Promise::StoppedProcess,
            "every outbox must keep the promise `{promise}`"
        );
        self.skipped.push((promise, reason.into()));
        self
    }

    pub(super) fn tests(&self, promise: Promise) -> bool {
        !self.skipped.iter().any(|(skipped, _)| *skipped == promise)
    }
}

impl Default for FleetProfile {
    fn default() -> Self {
        FleetProfile::new()
    }
}

/// The numbers of a run, and the promises that it did not test. `Display` is a line for a log.
#[derive(Clone, Debug)]
#[must_use = "it says what was not tested"]
pub struct FleetReport {
    pub(super) histories: u64,
    pub(super) events: u64,
    pub(super) takeovers: u64,
    pub(super) moved: u64,
    pub(super) late_settlements: u64,
    pub(super) removed: u64,
    pub(super) sent_after_removal: u64,
    skipped: Vec<(Promise, String)>,
}

impl FleetReport {
    pub(super) fn new(profile: &FleetProfile) -> Self {
        FleetReport {
            histories: 0,
            events: 0,
            takeovers: 0,
            moved: 0,
            late_settlements: 0,
            removed: 0,
            sent_after_removal: 0,
            skipped: profile.skipped.clone(),
        }
    }

    /// Returns the skipped promises.
    pub fn skipped(&self) -> Vec<Promise> {
        self.skipped.iter().map(|(promise, _)| *promise).collect()
    }

    /// Returns the number of accepted and delivered events.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Returns how often a process took over from another.
    pub fn takeovers(&self) -> u64 {
        self.takeovers
    }

    /// Returns the number of events that moved to another second, because another event had theirs.
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// Returns the number of settlements of deposed processes. The outbox changed nothing for
    /// these.
    pub fn late_settlements(&self) -> u64 {
        self.late_settlements
    }

    /// Returns how often an operator buried, purged or erased an event.
    pub fn removed(&self) -> u64 {
        self.removed
    }

    /// Returns the number of requests for events that an operator had removed while they were leased.
    pub fn sent_after_removal(&self) -> u64 {
        self.sent_after_removal
    }
}

impl fmt::Display for FleetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FleetReport { histories, events, takeovers, moved, late_settlements, .. } = self;
        let FleetReport { removed, sent_after_removal, skipped, .. } = self;
        write!(f, "{histories} histories: {events} events, {takeovers} takeovers, ")?;
        write!(f, "{moved} moved, {late_settlements} late settlements, ")?;
        write!(f, "{removed} removed, {sent_after_removal} sent after that")?;
        for (promise, reason) in skipped {
            write!(f, "; NOT TESTED: {promise}, because {reason}")?;
        }
        Ok(())
    }
}
