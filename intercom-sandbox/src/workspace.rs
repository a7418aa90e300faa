//! The one workspace of a sandbox: everything that outlives a request.

use std::sync::Arc;

use crate::answer_budget::AnswerBudget;
use crate::apps::Apps;
use crate::body_budget::BodyBudget;
use crate::clock::{Clock, unix_seconds};
use crate::contacts::Directory;
use crate::duplicates::Duplicates;
use crate::event_names::EventNames;
use crate::faults::{ActiveFault, Fault, Faults};
use crate::journal::Journal;
use crate::limits::Limits;
use crate::options::Options;
use crate::reading::Reading;
use crate::region::Region;
use crate::request_id::RequestIds;
use crate::server::ShutdownSignal;
use crate::summaries::Summaries;

pub(crate) struct Workspace {
    /// The sandbox's URL, without a slash at the end.
    pub(crate) url: String,
    /// Names by which other machines reach the admin API and the page.
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) region: Region,
    pub(crate) apps: Apps,
    pub(crate) limits: Limits,
    /// Shared with the kept requests, whose events these rules read again.
    pub(crate) rules: Arc<Reading>,
    /// The options in force, for the admin API.
    pub(crate) options: Options,
    pub(crate) clock: Box<dyn Clock>,
    /// Whether `Date` follows the clock, because the clock is not the machine's.
    pub(crate) dates_by_clock: bool,
    pub(crate) contacts: Directory,
    pub(crate) event_names: EventNames,
    pub(crate) duplicates: Duplicates,
    pub(crate) summaries: Summaries,
    pub(crate) request_ids: Arc<RequestIds>,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) body_budget: BodyBudget,
    pub(crate) answer_budget: AnswerBudget,
    pub(crate) closing: Arc<ShutdownSignal>,
}

impl Workspace {
    /// Returns the time, in Unix seconds.
    pub(crate) fn now(&self) -> u64 {
        unix_seconds(self.clock.now())
    }

    /// Activates a fault.
    ///
    /// # Panics
    /// If the fault contradicts itself.
    pub(crate) fn inject(&self, fault: Fault) -> ActiveFault {
        let active = self.faults.inject(fault, self.clock.now());
        self.apply_lowered_limits();
        active
    }

    /// Removes the chosen faults, and returns their number.
    pub(crate) fn remove_faults(&self, chosen: impl Fn(&ActiveFault) -> bool) -> usize {
        let removed = self.faults.remove(chosen);
        self.apply_lowered_limits();
        removed
    }

    /// Forgets requests, counts and scripted answers.
    pub(crate) fn clear(&self) {
        self.faults.remove(ActiveFault::is_scripted_answer);
        self.journal.clear();
        self.duplicates.clear();
        self.summaries.clear();
    }

    /// Sets the apps' limits to what the active faults require.
    pub(crate) fn apply_lowered_limits(&self) {
        self.faults.apply_rate_limit(self.clock.now(), |limit| self.apps.set_ceiling(limit));
    }
}
