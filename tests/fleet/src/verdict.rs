//! Compares the accepted events with the arrivals, the dead letters and the counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use intercom_delivery::outbox::Counts;
use intercom_sandbox::ReceivedRequest;

use crate::events::{Contacts, PER_PROCESS, is_right, number};
use crate::ledger::Ledger;
use crate::plan::CONCURRENCY;

/// The limit of events sent again for one disturbance: ten times the requests in flight, and those
/// in flight while the next process begins.
pub(crate) const AGAIN: usize = 12 * CONCURRENCY;

/// An event that arrived this long before a disturbance may be sent again: it was not settled yet.
const BEFORE: Duration = Duration::from_secs(3);

/// A request that Intercom accepted.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) number: u64,
    /// The number of the process that sent it.
    pub(crate) process: u64,
    /// The epoch in which the request began.
    pub(crate) epoch: u64,
    pub(crate) at: SystemTime,
    pub(crate) body: Vec<u8>,
}

impl Arrival {
    pub(crate) fn of(request: &ReceivedRequest) -> Option<Self> {
        let is_taken = matches!(request.status(), Some(200..=299));
        let (process, epoch) = request.header("user-agent")?.split_once(" epoch/")?;
        let (process, epoch) =
            (process.strip_prefix("process/")?.parse().ok()?, epoch.parse().ok()?);
        let body = request.body().to_vec();
        let number = number(&body).filter(|_| is_taken)?;
        Some(Arrival { number, process, epoch, at: request.received_at(), body })
    }
}

/// A time in which arrived events may be sent again, and why.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) name: &'static str,
    pub(crate) from: SystemTime,
    pub(crate) to: SystemTime,
}

/// The report of a process that it delivers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) epoch: u64,
    pub(crate) at: SystemTime,
}

/// The evidence of a run.
pub(crate) struct Evidence {
    pub(crate) contacts: Contacts,
    pub(crate) ledger: Ledger,
    pub(crate) arrived: Vec<Arrival>,
    /// The bodies of the dead letters.
    pub(crate) dead: Vec<Vec<u8>>,
    pub(crate) counts: Counts,
    /// Responses with 429.
    pub(crate) refused: usize,
    /// Takeovers.
    pub(crate) takeovers: u64,
    pub(crate) windows: Vec<Window>,
    pub(crate) turns: Vec<Turn>,
    /// The killed processes, and how many events each accepts at once.
    pub(crate) killed: BTreeMap<u64, u64>,
}

impl Evidence {
    /// Returns all complaints.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut arrivals: BTreeMap<u64, Vec<&Arrival>> = BTreeMap::new();
        for arrival in &self.arrived {
            arrivals.entry(arrival.number).or_default().push(arrival);
            if !is_right(arrival.number, self.contacts, &arrival.body) {
                complaints.push(format!(
                    "event {} arrived with other bytes than accepted",
                    arrival.number
                ));
            }
        }
        let dead = self.dead();
        if dead.len() < self.dead.len() {
            complaints.push("an event is two dead letters".to_owned());
        }
        for lost in self.lost() {
            complaints.push(format!("event {lost} was accepted, and is lost"));
        }
        let known: BTreeSet<u64> = arrivals.keys().chain(&dead).copied().collect();
        for refused in known.intersection(&self.ledger.refused) {
            complaints.push(format!("event {refused} was reported as refused, but was accepted"));
        }
        complaints.extend(self.unrecorded(&known));
        complaints.extend(self.again(&arrivals));
        for ((process, _), late) in self.late() {
            if late > CONCURRENCY {
                complaints.push(format!(
                    "process {process} sent {late} events after another one took over"
                ));
            }
        }
        if self.refused as u64 > self.takeovers {
            let (refused, takeovers) = (self.refused, self.takeovers);
            complaints.push(format!("{refused} responses were 429 over {takeovers} takeovers"));
        }
        let Counts { accepted, delivered, dead: buried, pending, .. } = self.counts;
        let all = known.len() as u64;
        let expected = (all, all - dead.len() as u64, dead.len() as u64, 0);
        if (accepted, delivered, buried, pending) != expected || !self.counts.is_balanced() {
            complaints.push(format!(
                "{all} events, {} dead, but it counts {}",
                dead.len(),
                self.counts
            ));
        }
        complaints
    }

    /// Returns the accepted events that are nowhere.
    pub(crate) fn lost(&self) -> Vec<u64> {
        let dead = self.dead();
        let arrived: BTreeSet<u64> = self.arrived.iter().map(|arrival| arrival.number).collect();
        let lost = |number: &&u64| !arrived.contains(number) && !dead.contains(number);
        self.ledger.accepted.iter().filter(lost).copied().collect()
    }

    /// Counts arrivals of events that had arrived before.
    pub(crate) fn repetitions(&self) -> usize {
        let arrived: BTreeSet<u64> = self.arrived.iter().map(|arrival| arrival.number).collect();
        self.arrived.len() - arrived.len()
    }

    /// Complains of accepted events without a record, except those of killed processes.
    fn unrecorded(&self, known: &BTreeSet<u64>) -> Vec<String> {
        let mut unrecorded: BTreeMap<u64, u64> = BTreeMap::new();
        for number in known {
            if !self.ledger.accepted.contains(number) && !self.ledger.in_doubt.contains(number) {
                *unrecorded.entry(number / PER_PROCESS).or_default() += 1;
            }
        }
        let is_wrong = |(process, events): &(u64, u64)| {
            self.killed.get(process).is_none_or(|at_once| events > at_once)
        };
        let complaint = |(process, events)| {
            format!("process {process} accepted {events} events without a record")
        };
        unrecorded.into_iter().filter(is_wrong).map(complaint).collect()
    }

    /// Complains of events sent again with other bytes, outside the named windows, or too often.
    fn again(&self, arrivals: &BTreeMap<u64, Vec<&Arrival>>) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut in_windows = vec![0; self.windows.len()];
        for (number, arrivals) in arrivals {
            for pair in arrivals.windows(2) {
                if pair[0].body != pair[1].body {
                    complaints.push(format!("event {number} was sent again with other bytes"));
                }
                let within =
                    |window: &Window| pair[0].at + BEFORE >= window.from && pair[0].at <= window.to;
                match self.windows.iter().position(within) {
                    Some(window) => in_windows[window] += 1,
                    None => complaints.push(format!(
                        "event {number} was sent again by process {} after process {}, \
                         outside any window",
                        pair[1].process, pair[0].process
                    )),
                }
            }
        }
        for (window, again) in self.windows.iter().zip(in_windows) {
            if again > AGAIN {
                complaints.push(format!("{again} events were sent again after {}", window.name));
            }
        }
        complaints
    }

    /// Returns how many events each process sent in an epoch after a later one had begun. A request
    /// in flight then may arrive late.
    fn late(&self) -> BTreeMap<(u64, u64), usize> {
        let mut late = BTreeMap::new();
        for Arrival { process, epoch, at, .. } in &self.arrived {
            if self.turns.iter().any(|turn| turn.epoch > *epoch && turn.at <= *at) {
                *late.entry((*process, *epoch)).or_default() += 1;
            }
        }
        late
    }

    fn dead(&self) -> BTreeSet<u64> {
        self.dead.iter().filter_map(|body| number(body)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::accepted;

    const NOON: Duration = Duration::from_secs(1_700_000_000);

    fn arrival(number: u64, process: u64, second: u64) -> Arrival {
        let at = SystemTime::UNIX_EPOCH + NOON + Duration::from_secs(second);
        let body = accepted(number, Contacts::Own).body().to_vec();
        Arrival { number, process, epoch: 1, at, body }
    }

    /// Evidence of events that were accepted, and arrived once.
    fn evidence(arrived: Vec<Arrival>) -> Evidence {
        let accepted: BTreeSet<u64> = arrived.iter().map(|arrival| arrival.number).collect();
        let number = accepted.len() as u64;
        let mut counts = Counts::default();
        (counts.accepted, counts.delivered) = (number, number);
        Evidence {
            contacts: Contacts::Own,
            ledger: Ledger { accepted, ..Ledger::default() },
            arrived,
            dead: Vec::new(),
            counts,
            refused: 0,
            takeovers: 0,
            windows: Vec::new(),
            turns: Vec::new(),
            killed: BTreeMap::new(),
        }
    }

    fn window(from: u64, to: u64) -> Window {
        let at = |second| SystemTime::UNIX_EPOCH + NOON + Duration::from_secs(second);
        Window { name: "its kill", from: at(from), to: at(to) }
    }

    #[test]
    fn a_correct_run_gets_no_complaint() {
        let mut right = evidence(vec![arrival(1, 0, 0), arrival(2, 0, 0), arrival(2, 1, 9)]);
        right.windows = vec![window(1, 5)];
        (right.refused, right.takeovers) = (1, 1);
        right.ledger.in_doubt.extend([2, 3]);
        right.ledger.refused.insert(4);
        assert_eq!(right.complaints(), [""; 0]);
    }

    #[test]
    fn each_mistake_is_found_out() {
        let mut lost = evidence(vec![arrival(1, 0, 0)]);
        lost.ledger.accepted.insert(2);
        assert_eq!(lost.complaints(), ["event 2 was accepted, and is lost"]);

        let mut refused = evidence(vec![arrival(1, 0, 0)]);
        refused.ledger.refused.insert(1);
        assert_eq!(refused.complaints(), ["event 1 was reported as refused, but was accepted"]);

        let mut changed = evidence(vec![arrival(1, 0, 0)]);
        changed.arrived[0].body = accepted(2, Contacts::Own).body().to_vec();
        assert_eq!(changed.complaints(), ["event 1 arrived with other bytes than accepted"]);

        let again = evidence(vec![arrival(1, 0, 0), arrival(1, 1, 1)]);
        let complaint = "event 1 was sent again by process 1 after process 0, outside any window";
        assert_eq!(again.complaints(), [complaint]);

        let all = |process| (0..=AGAIN as u64).map(move |number| arrival(number, process, 2));
        let mut too_many = evidence(all(0).chain(all(1)).collect());
        too_many.windows = vec![window(1, 5)];
        let complaint = format!("{} events were sent again after its kill", AGAIN + 1);
        assert_eq!(too_many.complaints(), [complaint]);

        let mut limited = evidence(vec![arrival(1, 0, 0)]);
        limited.refused = 1;
        assert_eq!(limited.complaints(), ["1 responses were 429 over 0 takeovers"]);

        let mut deposed = evidence((0..=CONCURRENCY as u64).map(|n| arrival(n, 0, 3)).collect());
        let turn = |epoch, second| Turn { epoch, at: arrival(0, 0, second).at };
        deposed.turns = vec![turn(1, 0), turn(2, 2)];
        let complaint =
            format!("process 0 sent {} events after another one took over", CONCURRENCY + 1);
        assert_eq!(deposed.complaints(), [complaint]);
        deposed.arrived.pop();
        deposed.ledger.accepted.pop_last();
        (deposed.counts.accepted, deposed.counts.delivered) =
            (CONCURRENCY as u64, CONCURRENCY as u64);
        assert_eq!(deposed.complaints(), [""; 0]);

        // Each lost turn has its own requests in flight. Under the present one any number may
        // arrive.
        let all = 4 * CONCURRENCY as u64;
        let mut twice = evidence((0..all).map(|n| arrival(n, 0, 3)).collect());
        for (n, arrival) in twice.arrived.iter_mut().enumerate() {
            arrival.epoch = (n / CONCURRENCY + 1).min(3) as u64;
        }
        twice.turns = vec![turn(1, 0), turn(2, 1), turn(3, 2)];
        assert_eq!(twice.complaints(), [""; 0]);

        let mut unrecorded = evidence(vec![arrival(1, 0, 0)]);
        unrecorded.ledger.accepted.clear();
        assert_eq!(unrecorded.complaints(), ["process 0 accepted 1 events without a record"]);
        unrecorded.killed.insert(0, 1);
        assert_eq!(unrecorded.complaints(), [""; 0]);

        let mut counts = evidence(vec![arrival(1, 0, 0)]);
        counts.counts.delivered = 0;
        counts.counts.pending = 1;
        assert_eq!(counts.complaints().len(), 1);
    }
}
