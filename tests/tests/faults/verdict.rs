//! Compares the sent events with the arrivals.

use std::collections::{BTreeMap, HashMap};

use intercom_sandbox::ReceivedEvent;

/// The evidence of a run.
pub(crate) struct Evidence {
    /// The test sent the events with numbers below this one.
    pub(crate) sent: u64,
    /// The sandbox's events, in order.
    pub(crate) arrived: Vec<ReceivedEvent>,
    /// The bodies of requests that the sandbox got, without a response known to the client.
    pub(crate) unanswered: Vec<Vec<u8>>,
    /// The client's time-outs without a silent fault. They happen on a busy machine, and the
    /// response may come at that very moment.
    pub(crate) impatience: usize,
}

impl Evidence {
    /// Returns all complaints. Each event must arrive, as one event, and again only after a lost
    /// response.
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
                    .push(format!("event {number} came {times} times, for {lost} lost responses"));
            }
            impatience = impatience.saturating_sub(unexplained);
            let to_intercom = (first.user_id(), first.name(), first.created_at());
            if let Some(other) = seen.insert(to_intercom, *number) {
                complaints.push(format!("Intercom takes events {other} and {number} for one"));
            }
        }
        complaints
    }

    /// Counts arrivals of events that had arrived before.
    pub(crate) fn repetitions(&self) -> usize {
        self.arrived.len() - self.sent as usize
    }
}
