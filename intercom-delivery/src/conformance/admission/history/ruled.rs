//! What the rules of a history must have done by its end.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use intercom_core::DataEvent;
use intercom_rules::Rules;

use crate::outbox::{EventId, Lease};

/// The rules of a history, and what came of them.
#[derive(Default)]
pub(super) struct Ruled {
    pub(super) rules: Rules,
    /// Events that are stored because a rule derived them.
    pub(super) derived: u64,
    pub(super) dropped: u64,
    /// The kind of each event that was accepted, by its number.
    kinds: BTreeMap<u64, &'static str>,
    /// The events that were derived from each.
    derived_from: BTreeMap<u64, BTreeSet<EventId>>,
    violations: Vec<String>,
}

impl Ruled {
    pub(super) fn new(rules: Rules) -> Self {
        Ruled { rules, ..Ruled::default() }
    }

    /// Chooses the kind of an event, if there are rules.
    pub(super) fn kind(&mut self, number: u64, random: &mut Rng) -> Option<&'static str> {
        if self.rules.is_empty() {
            return None;
        }
        let kind = ["plain", "plain", "derives", "drops", "renames"][random.usize(..5)];
        self.kinds.insert(number, kind);
        Some(kind)
    }

    /// Sees a leased event.
    pub(super) fn see(&mut self, lease: &Lease) {
        if lease.event.event_name() == "project_derived" {
            self.derived_from.entry(number(&lease.event)).or_default().insert(lease.id);
        }
    }

    /// Sees an event that is sent.
    pub(super) fn send(&mut self, lease: &Lease) {
        let Some(kind) = self.kinds.get(&number(&lease.event)) else { return };
        let is_right = match lease.event.event_name().as_str() {
            "project_derived" => matches!(*kind, "derives" | "drops"),
            "project_renamed" => *kind == "renames",
            _ => matches!(*kind, "plain" | "derives"),
        };
        if !is_right {
            let name = lease.event.event_name();
            self.violations.push(format!(
                "the engine sent the event {} as `{name}`, and its kind is `{kind}`; the rule of each \
                 kind says under which name its events are sent, or that they are dropped",
                lease.id
            ));
        }
    }

    /// Returns what the rules did wrong, when everything was delivered.
    pub(super) fn violations(&self) -> Vec<String> {
        let causes = self.kinds.iter().filter(|(_, kind)| matches!(**kind, "derives" | "drops"));
        let wrong = causes.filter_map(|(number, _)| {
            let derived = self.derived_from.get(number).map_or(0, BTreeSet::len);
            (derived != 1).then(|| {
                format!(
                    "the outbox leased {derived} events that a rule derived from the {number}th accepted \
                     event; an event derives one, and exactly once"
                )
            })
        });
        self.violations.iter().cloned().chain(wrong).collect()
    }
}

/// The number of an event in its metadata.
fn number(event: &DataEvent) -> u64 {
    let number = event.to_json()["metadata"]["number"].as_u64();
    number.expect("each event of a history has a number")
}
