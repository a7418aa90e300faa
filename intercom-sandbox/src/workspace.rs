//! The one workspace that a sandbox stands for: everything that lives longer than a request.

use crate::answer::Script;
use crate::clock::{Clock, unix_seconds};
use crate::contacts::Directory;
use crate::event_names::EventNames;
use crate::headers::Credentials;
use crate::journal::Journal;
use crate::rate_limit::RateLimit;
use crate::request_id::RequestIds;

pub(crate) struct Workspace {
    pub(crate) credentials: Credentials,
    pub(crate) settings: Settings,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) contacts: Directory,
    pub(crate) event_names: EventNames,
    pub(crate) rate_limit: RateLimit,
    pub(crate) request_ids: RequestIds,
    pub(crate) script: Script,
    pub(crate) journal: Journal,
}

/// What was settled in the builder and is only read from then on.
pub(crate) struct Settings {
    pub(crate) region: String,
    pub(crate) body_limit: usize,
    pub(crate) metadata_keys: usize,
    /// Whether an ambiguous contact is answered with 400 in the place of 409.
    pub(crate) ambiguous_contact_is_400: bool,
}

impl Workspace {
    /// The time it is, in Unix seconds.
    pub(crate) fn now(&self) -> u64 {
        unix_seconds(self.clock.now())
    }
}
