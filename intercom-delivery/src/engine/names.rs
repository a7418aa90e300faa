//! Event names that Intercom takes no events of, because the workspace has as many names as it may have.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::time::later;

/// How long a name is not tried again. Somebody may have archived other names since.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// How long the event may take that tries a name again. Others of it wait meanwhile.
const TRY: Duration = Duration::from_secs(60);

/// How long these wait before they are looked at again.
const WAIT: Duration = Duration::from_secs(2);

/// The silenced names. There are few: each was refused by itself.
#[derive(Debug, Default)]
pub(crate) struct SilencedNames {
    silent: HashMap<String, Silence>,
    /// Names of which it was said that they are silenced.
    said: HashSet<String>,
}

#[derive(Debug)]
struct Silence {
    until: Instant,
    /// Whether it was over, and an event tries the name until then.
    tried: bool,
}

/// What becomes of an event, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// It is sent.
    Send,
    /// It waits for so long.
    Wait(Duration),
    /// It is not sent.
    Bury,
}

impl SilencedNames {
    /// Silences a name for a while; whether that was never said before.
    pub(crate) fn silence(&mut self, name: &str, now: Instant) -> bool {
        let name = name.to_lowercase();
        self.silent.insert(name.clone(), Silence { until: later(now, SILENCE), tried: false });
        self.said.insert(name)
    }

    /// Decides about an event that is to be sent. When the silence is over the first one that comes may go, to try.
    pub(crate) fn hear(&mut self, name: &str, now: Instant) -> Hearing {
        if self.silent.is_empty() {
            return Hearing::Send;
        }
        let Some(silence) = self.silent.get_mut(&name.to_lowercase()) else {
            return Hearing::Send;
        };
        match (now < silence.until, silence.tried) {
            (true, false) => Hearing::Bury,
            (true, true) => Hearing::Wait(WAIT),
            (false, _) => {
                *silence = Silence { until: later(now, TRY), tried: true };
                Hearing::Send
            }
        }
    }

    /// An event of this name got through.
    pub(crate) fn taken(&mut self, name: &str) {
        if !self.silent.is_empty() {
            let name = name.to_lowercase();
            self.silent.remove(&name);
            self.said.remove(&name);
        }
    }

    /// Somebody may have archived other names just now.
    pub(crate) fn resume(&mut self) {
        self.silent.clear();
    }
}
