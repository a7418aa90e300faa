//! The one workspace that a sandbox stands for: everything that lives longer than a request.

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
use crate::server::Closing;
use crate::summaries::Summaries;

pub(crate) struct Workspace {
    /// Where it listens, without a slash at the end.
    pub(crate) url: String,
    /// By which names the admin API and the page may be reached, beside those of this machine.
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) region: Region,
    pub(crate) apps: Apps,
    pub(crate) limits: Limits,
    /// Shared with the requests that are kept, whose events are read by them again.
    pub(crate) rules: Arc<Reading>,
    /// All that was settled, for the admin API to show.
    pub(crate) options: Options,
    pub(crate) clock: Box<dyn Clock>,
    /// Whether `Date` goes by the clock, since that is not the machine's.
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
    pub(crate) closing: Arc<Closing>,
}

impl Workspace {
    /// The time it is, in Unix seconds.
    pub(crate) fn now(&self) -> u64 {
        unix_seconds(self.clock.now())
    }

    /// Lets a fault stand from now on.
    ///
    /// # Panics
    /// If it contradicts itself.
    pub(crate) fn inject(&self, fault: Fault) -> ActiveFault {
        let active = self.faults.inject(fault, self.clock.now());
        self.apply_lowered_limits();
        active
    }

    /// Lifts the faults that are chosen, and says how many they were.
    pub(crate) fn lift(&self, chosen: impl Fn(&ActiveFault) -> bool) -> usize {
        let lifted = self.faults.lift(chosen);
        self.apply_lowered_limits();
        lifted
    }

    /// Forgets what was received and counted, and the answers that wait for their requests.
    pub(crate) fn clear(&self) {
        self.faults.lift(ActiveFault::is_scripted_answer);
        self.journal.clear();
        self.duplicates.clear();
        self.summaries.clear();
    }

    /// Sets the limits of the apps to what the faults want of them at this moment.
    pub(crate) fn apply_lowered_limits(&self) {
        self.faults.tell_rate_limit(self.clock.now(), |limit| self.apps.set_ceiling(limit));
    }
}
