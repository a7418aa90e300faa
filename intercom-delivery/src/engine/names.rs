//! Event names that Intercom refuses because the workspace has 120 already.
//!
//! A silence covers all spellings that differ in case, which Intercom's pages say is ignored. It
//! covers no other: Intercom may have one of two names that look alike, and refuse the other.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::time::later;

/// The silence of a refused name. After it, the engine tries the name again, because an operator
/// may have archived other names.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// The limit for the event that probes a name. Other events of the name wait meanwhile.
const TRY: Duration = Duration::from_secs(60);

/// The delay of those events.
const WAIT: Duration = Duration::from_secs(2);

/// The silenced names. There are few, because Intercom refused each of them.
#[derive(Debug, Default)]
pub(crate) struct SilencedNames {
    silent: HashMap<String, Silence>,
    /// The silenced names that were logged.
    logged: HashSet<String>,
}

#[derive(Debug)]
struct Silence {
    until: Instant,
    /// Whether an event probes the name until then.
    probing: bool,
}

/// The decision about an event, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameVerdict {
    /// Sends the event.
    Send,
    /// Puts the event back for this long.
    Wait(Duration),
    /// The event becomes a dead letter.
    Bury,
}

impl SilencedNames {
    /// Silences a name for ten minutes. Returns whether to log it.
    pub(crate) fn silence(&mut self, name: &str, now: Instant) -> bool {
        let name = name.to_lowercase();
        self.silent.insert(name.clone(), Silence { until: later(now, SILENCE), probing: false });
        self.logged.insert(name)
    }

    /// Decides about an event. After the silence, the first event of the name is the probe.
    pub(crate) fn check(&mut self, name: &str, now: Instant) -> NameVerdict {
        if self.silent.is_empty() {
            return NameVerdict::Send;
        }
        let Some(silence) = self.silent.get_mut(&name.to_lowercase()) else {
            return NameVerdict::Send;
        };
        match (now < silence.until, silence.probing) {
            (true, false) => NameVerdict::Bury,
            (true, true) => NameVerdict::Wait(WAIT),
            (false, _) => {
                *silence = Silence { until: later(now, TRY), probing: true };
                NameVerdict::Send
            }
        }
    }

    /// Records that Intercom accepted an event of this name.
    pub(crate) fn delivered(&mut self, name: &str) {
        if !self.silent.is_empty() {
            let name = name.to_lowercase();
            self.silent.remove(&name);
            self.logged.remove(&name);
        }
    }

    /// Ends all silences, because an operator may have archived other names.
    pub(crate) fn resume(&mut self) {
        self.silent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_silent_for_ten_minutes_whatever_its_case() {
        let now = Instant::now();
        let mut names = SilencedNames::default();
        assert_eq!(names.check("signed_up", now), NameVerdict::Send);
        assert!(names.silence("Signed_Up", now));
        assert!(!names.silence("signed_up", now), "it is logged once");
        let last = now + SILENCE - Duration::from_millis(1);
        assert_eq!(names.check("SIGNED_UP", last), NameVerdict::Bury);
        assert_eq!(names.check("project_created", last), NameVerdict::Send);
    }

    #[test]
    fn one_event_probes_a_silenced_name_and_the_others_wait() {
        let mut now = Instant::now();
        let mut names = SilencedNames::default();
        names.silence("signed_up", now);
        now += SILENCE;
        // A lost probe is followed by another one.
        for _ in 0..2 {
            assert_eq!(names.check("signed_up", now), NameVerdict::Send);
            assert_eq!(names.check("signed_up", now), NameVerdict::Wait(WAIT));
            now += TRY;
        }
        assert_eq!(names.check("signed_up", now), NameVerdict::Send);
        names.delivered("Signed_up");
        assert_eq!(names.check("signed_up", now), NameVerdict::Send);
        assert_eq!(names.check("signed_up", now), NameVerdict::Send);
        assert!(names.silence("signed_up", now), "it is logged again");
    }

    #[test]
    fn an_operator_ends_all_silences() {
        let now = Instant::now();
        let mut names = SilencedNames::default();
        names.silence("signed_up", now);
        names.resume();
        assert_eq!(names.check("signed_up", now), NameVerdict::Send);
        assert!(!names.silence("signed_up", now), "it is already logged");
    }
}
