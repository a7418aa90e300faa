//! The active event names of the workspace, of which Intercom allows so many.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::refusal::Refusal;
use crate::sync::lock;

/// Intercom's documented limit.
pub(crate) const DEFAULT_LIMIT: usize = 120;

pub(crate) struct EventNames {
    limit: usize,
    /// In lower case, since upper and lower case are the same to Intercom.
    active: Mutex<HashSet<String>>,
}

impl EventNames {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, active: Mutex::default() }
    }

    /// Makes the name an active one, if it is none yet and there is room for one more.
    pub(crate) fn admit(&self, name: &str) -> Result<(), Refusal> {
        let folded = name.to_lowercase();
        let mut active = lock(&self.active);
        if active.contains(&folded) {
            return Ok(());
        }
        if active.len() >= self.limit {
            return Err(Refusal::too_many_event_names(self.limit));
        }
        active.insert(folded);
        Ok(())
    }
}
