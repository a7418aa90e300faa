//! The judgement of how events arrived.

use std::collections::{BTreeMap, HashMap};

use intercom_sandbox::ReceivedEvent;

/// What is known of how events went.
pub(crate) struct Evidence {
    /// Events with the numbers from 0 up to this one were sent.
    pub(crate) sent: u64,
    /// What the sandbox has taken, in order.
    pub(crate) arrived: Vec<ReceivedEvent>,
    /// The bodies of requests that the sandbox was given, and whose answers the client is not known to have.
    pub(crate) unanswered: Vec<Vec<u8>>,
    /// How often the client waited for too long though nothing was silent: that happens on a busy machine, and the
    /// answer may come at that very moment.
    pub(crate) impatience: usize,
}

impl Evidence {
    /// Everything that is wrong with it. Nothing is if each event arrived, as one event, and again only where its
    /// answer got lost.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut arrivals: BTreeMap<u64, Vec<&ReceivedEvent>> = BTreeMap::new();
        for event in &self.arrived {
            let number = event.metadata_value("number").unwrap().as_u64().unwrap();
            arrivals.entry(number).or_default().push(event);
        }
        let mut complaints = Vec::new();
        for number in (0..self.sent).filter(|number| !arrivals.contains_key(number)) {
            complaints.push(format!("event {number} never arrived"));
        }
        let mut impatience = self.impatience;
        let mut seen: HashMap<_, u64> = HashMap::new();
        for (number, events) in &arrivals {
            let first = events[0];
            if events.iter().any(|event| event.body() != first.body()) {
                complaints.push(format!("event {number} arrived as different events: {events:?}"));
            }
            let lost = self.unanswered.iter().filter(|body| *body == first.body()).count();
            let unexplained = (events.len() - 1).saturating_sub(lost);
            if unexplained > impatience {
                let times = events.len();
                complaints
                    .push(format!("event {number} came {times} times, for {lost} lost answers"));
            }
            impatience = impatience.saturating_sub(unexplained);
            let to_intercom = (first.user_id(), first.name(), first.created_at());
            if let Some(other) = seen.insert(to_intercom, *number) {
                complaints.push(format!("events {other} and {number} are one to Intercom"));
            }
        }
        complaints
    }

    /// How often an event arrived that had arrived before.
    pub(crate) fn repetitions(&self) -> usize {
        self.arrived.len() - self.sent as usize
    }
}
