//! Event names that Intercom takes no events of, because the workspace has as many names as it may have.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long a name is not tried again. Somebody may have archived other names since.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// The silenced names. There are few: each was refused by itself.
#[derive(Debug, Default)]
pub(crate) struct SilencedNames {
    until: HashMap<String, Instant>,
}

impl SilencedNames {
    /// Silences a name for a while; whether it was silent never before.
    pub(crate) fn silence(&mut self, name: &str, now: Instant) -> bool {
        self.until.insert(name.to_lowercase(), now + SILENCE).is_none()
    }

    /// Whether events of this name are not sent for now.
    pub(crate) fn is_silent(&self, name: &str, now: Instant) -> bool {
        !self.until.is_empty()
            && self.until.get(&name.to_lowercase()).is_some_and(|until| now < *until)
    }

    /// An event of this name got through.
    pub(crate) fn taken(&mut self, name: &str) {
        if !self.until.is_empty() {
            self.until.remove(&name.to_lowercase());
        }
    }
}
