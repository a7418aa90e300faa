//! Compares the accepted events with the arrivals, the dead letters and the counts.

use std::collections::{BTreeMap, BTreeSet};

use intercom_delivery::outbox::Counts;
use intercom_sandbox::ReceivedEvent;

use crate::events::{PER_PROCESS, body};
use crate::plan::{CONCURRENCY, PRODUCERS};

/// The limit of events sent again for one kill. An engine stops leasing while the outcomes of four
/// times its concurrency wait for the disk. The requests in flight and the events leased for them
/// come on top. That is less than ten times the concurrency, and the limit is generous.
pub(crate) const AGAIN: usize = 12 * CONCURRENCY;

/// The arrival of an event.
pub(crate) struct Arrival {
    pub(crate) number: u64,
    /// The run that sent it.
    pub(crate) run: u64,
    pub(crate) body: Vec<u8>,
}

impl Arrival {
    pub(crate) fn of(event: &ReceivedEvent) -> Self {
        let number = event.metadata_value("number").unwrap().as_u64().unwrap();
        let run = event.header("user-agent").unwrap().strip_prefix("run/").unwrap();
        Arrival { number, run: run.parse().unwrap(), body: event.body().to_vec() }
    }
}

/// The evidence of a test.
pub(crate) struct Evidence {
    /// The killed runs.
    pub(crate) killed: BTreeSet<u64>,
    /// The accepted events in the ledger.
    pub(crate) accepted: BTreeSet<u64>,
    /// The arrivals at the sandbox.
    pub(crate) arrived: Vec<Arrival>,
    /// The bodies of the dead letters.
    pub(crate) dead: Vec<Vec<u8>>,
    /// The file's counts, if there is a file.
    pub(crate) file_counts: Option<Counts>,
}

impl Evidence {
    /// Returns all complaints.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut runs: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for Arrival { number, run, body: arrived } in &self.arrived {
            runs.entry(*number).or_default().push(*run);
            if *arrived != body(*number) {
                complaints.push(format!("event {number} arrived with other bytes than accepted"));
            }
        }
        let dead = self.dead(&mut complaints);
        for number in self.lost() {
            complaints.push(format!("event {number} was accepted, and is lost"));
        }

        // Events accepted at a kill, before the producer could record them.
        let known: BTreeSet<u64> = runs.keys().chain(&dead).copied().collect();
        let mut unrecorded: BTreeMap<u64, usize> = BTreeMap::new();
        for number in known.difference(&self.accepted) {
            *unrecorded.entry(number / PER_PROCESS).or_default() += 1;
        }
        for (run, events) in unrecorded {
            if events > PRODUCERS || !self.killed.contains(&run) {
                complaints.push(format!("run {run} accepted {events} events without a record"));
            }
        }

        let mut again: BTreeMap<u64, usize> = BTreeMap::new();
        for (number, runs) in &mut runs {
            runs.sort_unstable();
            for pair in runs.windows(2) {
                if pair[0] == pair[1] {
                    complaints.push(format!("event {number} was sent twice by run {}", pair[0]));
                } else {
                    *again.entry(pair[0]).or_default() += 1;
                }
            }
        }
        for (run, events) in again {
            if events > AGAIN || !self.killed.contains(&run) {
                complaints.push(format!("{events} events of run {run} were sent again"));
            }
        }

        for (run, events) in self.late() {
            if events > CONCURRENCY {
                complaints.push(format!(
                    "run {run} sent {events} events after a later run began to send"
                ));
            }
        }

        if let Some(file_counts) = self.file_counts {
            let is = (
                file_counts.accepted,
                file_counts.delivered,
                file_counts.dead,
                file_counts.pending,
            );
            let (all, dead) = (known.len() as u64, dead.len() as u64);
            if is != (all, all - dead, dead, 0) || !file_counts.is_balanced() {
                complaints
                    .push(format!("{all} events, {dead} dead, but the counts are {file_counts:?}"));
            }
        }
        complaints
    }

    /// Returns the accepted events that are nowhere else.
    pub(crate) fn lost(&self) -> Vec<u64> {
        let dead = self.dead(&mut Vec::new());
        let arrived: BTreeSet<u64> = self.arrived.iter().map(|arrival| arrival.number).collect();
        let lost = |number: &&u64| !arrived.contains(number) && !dead.contains(number);
        self.accepted.iter().filter(lost).copied().collect()
    }

    /// Counts arrivals of events that had arrived before.
    pub(crate) fn repetitions(&self) -> usize {
        let arrived: BTreeSet<u64> = self.arrived.iter().map(|arrival| arrival.number).collect();
        self.arrived.len() - arrived.len()
    }

    /// Returns how many events of each run arrived after one of a later run. A request in flight at
    /// a kill may arrive late.
    fn late(&self) -> BTreeMap<u64, usize> {
        let (mut latest, mut late) = (0, BTreeMap::new());
        for Arrival { run, .. } in &self.arrived {
            latest = latest.max(*run);
            if *run < latest {
                *late.entry(*run).or_default() += 1;
            }
        }
        late
    }

    fn dead(&self, complaints: &mut Vec<String>) -> BTreeSet<u64> {
        let mut numbers = BTreeSet::new();
        for letter in &self.dead {
            let json: serde_json::Value = serde_json::from_slice(letter).unwrap();
            let number = json["metadata"]["number"].as_u64().unwrap();
            if *letter != body(number) {
                complaints.push(format!("dead letter {number} has other bytes than accepted"));
            }
            if !numbers.insert(number) {
                complaints.push(format!("event {number} is two dead letters"));
            }
        }
        numbers
    }
}
