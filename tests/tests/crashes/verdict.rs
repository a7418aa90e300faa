//! The judgement of what was accepted, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use intercom_delivery::outbox::Counts;
use intercom_sandbox::ReceivedEvent;

use crate::events::{OF_A_RUN, body};
use crate::plan::{CONCURRENCY, PRODUCERS};

/// How many events, at most, may be sent again for one kill. An engine leases no more while the outcomes of four times
/// as many requests as may be under way wait for the disk; to these come those that are under way, and those that were
/// leased for after them. It is less than ten times as many, and this is generous.
pub(crate) const AGAIN: usize = 12 * CONCURRENCY;

/// That an event arrived.
pub(crate) struct Arrival {
    pub(crate) number: u64,
    /// Which run of the process sent it.
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

/// What is known of how it went.
pub(crate) struct Evidence {
    /// Which runs of the process were killed.
    pub(crate) killed: BTreeSet<u64>,
    /// What the ledger says.
    pub(crate) accepted: BTreeSet<u64>,
    /// What the sandbox has taken.
    pub(crate) arrived: Vec<Arrival>,
    /// The bodies of the dead letters.
    pub(crate) dead: Vec<Vec<u8>>,
    /// What the file says of itself, where there is one.
    pub(crate) books: Option<Counts>,
}

impl Evidence {
    /// Everything that is wrong with it.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut runs: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for Arrival { number, run, body: arrived } in &self.arrived {
            runs.entry(*number).or_default().push(*run);
            if *arrived != body(*number) {
                complaints.push(format!("event {number} did not arrive as it was accepted"));
            }
        }
        let dead = self.dead(&mut complaints);
        for number in self.lost() {
            complaints.push(format!("event {number} was accepted and is lost"));
        }

        // Those that were accepted while the producer could not say so any more.
        let known: BTreeSet<u64> = runs.keys().chain(&dead).copied().collect();
        let mut unsaid: BTreeMap<u64, usize> = BTreeMap::new();
        for number in known.difference(&self.accepted) {
            *unsaid.entry(number / OF_A_RUN).or_default() += 1;
        }
        for (run, events) in unsaid {
            if events > PRODUCERS || !self.killed.contains(&run) {
                complaints.push(format!("run {run} accepted {events} events without a word"));
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
                complaints
                    .push(format!("run {run} sent {events} events after a later run had begun to"));
            }
        }

        if let Some(books) = self.books {
            let is = (books.accepted, books.delivered, books.dead, books.pending);
            let (all, dead) = (known.len() as u64, dead.len() as u64);
            if is != (all, all - dead, dead, 0) || !books.is_balanced() {
                complaints.push(format!("{all} events, {dead} dead, but the books say {books:?}"));
            }
        }
        complaints
    }

    /// The numbers in the ledger that are nowhere else.
    pub(crate) fn lost(&self) -> Vec<u64> {
        let dead = self.dead(&mut Vec::new());
        let arrived: BTreeSet<u64> = self.arrived.iter().map(|arrival| arrival.number).collect();
        let lost = |number: &&u64| !arrived.contains(number) && !dead.contains(number);
        self.accepted.iter().filter(lost).copied().collect()
    }

    /// How often an event arrived that had arrived before.
    pub(crate) fn repetitions(&self) -> usize {
        let arrived: BTreeSet<u64> = self.arrived.iter().map(|arrival| arrival.number).collect();
        self.arrived.len() - arrived.len()
    }

    /// How many events of each run arrived after one of a later run. What was in flight in a kill may.
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
                complaints.push(format!("event {number} did not die as it was accepted"));
            }
            if !numbers.insert(number) {
                complaints.push(format!("event {number} is two dead letters"));
            }
        }
        numbers
    }
}
