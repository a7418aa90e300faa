//! Power cuts under an application that accepts, delivers and buries.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{env, thread};

use fastrand::Rng;
use tests::Summary;

use crate::disk::Disk;
use crate::events::PER_PROCESS;
use crate::file::Contents;
use crate::ledger::Ledger;
use crate::verdict;
use crate::worker::load::{BEGUN, CONCURRENCY};
use crate::worker::{THROUGH, Work};

const NAME: &str = "power cuts";

/// The limit of delivered events without a durable settlement. As in the kills of a process, an
/// engine has at most ten times its concurrency between outbox and destination. The limit is
/// generous.
const AGAIN: usize = 12 * CONCURRENCY;

pub(crate) fn part(summary: &mut Summary) {
    let within = tempfile::tempdir().unwrap();
    let disk = match Disk::ext4(within.path(), 192) {
        Ok(disk) => disk,
        Err(why) => return summary.skip(NAME, &why),
    };
    let mut cuts = Cuts::of(disk);
    let rounds = env::var("STORAGE_FAULTS_ROUNDS").map_or(10, |rounds| rounds.parse().unwrap());
    cuts.durable(summary, rounds);
    cuts.not_durable(summary, rounds);
}

/// Returns a random seed, unless the environment names one.
fn seed() -> u64 {
    let set = env::var("STORAGE_FAULTS_SEED");
    let seed = set.map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("   to repeat it: STORAGE_FAULTS_SEED={seed}");
    seed
}

/// A disk for power cuts.
pub(super) struct Cuts {
    pub(super) disk: Disk,
    rng: Rng,
    runs: u64,
}

impl Cuts {
    pub(super) fn of(disk: Disk) -> Self {
        Cuts { disk, rng: Rng::with_seed(seed()), runs: 0 }
    }

    /// Cuts the power of one application over and over.
    fn durable(&mut self, summary: &mut Summary, rounds: usize) {
        let path = self.disk.folder().join("events.db");
        let mut ledger = Ledger::default();
        let mut found = Contents::default();
        let works = [Work::Load, Work::LoadHeld, Work::LoadMaintaining];
        for (round, work) in works.into_iter().cycle().take(rounds).enumerate() {
            let accepted = ledger.accepted.len();
            let sent = self.cut(work, &path, &mut ledger);
            found = Contents::of(&path);
            let mut complaints = verdict::complaints(&ledger, &found);
            complaints.extend(twice(&sent));
            let again = sent.keys().filter(|number| found.pending.contains(number)).count();
            if again > AGAIN {
                complaints.push(format!("{again} events of one run will be delivered again"));
            }
            if ledger.accepted.len() == accepted {
                complaints.push("it proves nothing: no event was accepted".to_owned());
            }
            let (new, pending, dead) =
                (ledger.accepted.len() - accepted, found.pending.len(), found.dead.len());
            println!(
                "   {work:?}: {new} accepted; then {pending} pending, {dead} dead, {again} again"
            );
            summary.add(&format!("power cut number {}, {work:?}", round + 1), complaints);
        }

        let before = std::mem::take(&mut ledger.delivered);
        let output = Work::Drain.command(&path, 0).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().for_each(|line| ledger.read(line));
        let mut complaints = twice(&ledger.delivered);
        for number in &found.pending {
            if !ledger.delivered.contains_key(number) && !ledger.rejected.contains(number) {
                complaints.push(format!("event {number} was pending, and is not delivered"));
            }
        }
        for (number, times) in before {
            *ledger.delivered.entry(number).or_default() += times;
        }
        found = Contents::of(&path);
        complaints.extend(verdict::complaints(&ledger, &found));
        if !found.pending.is_empty() || !ledger.notes.iter().any(|note| note == THROUGH) {
            complaints.push(format!("{} events are pending", found.pending.len()));
        }
        if found.dead.is_empty() {
            complaints.push("it proves nothing: there are no dead letters".to_owned());
        }
        let (delivered, dead) = (ledger.delivered.len(), found.dead.len());
        println!("   in the end: {delivered} delivered, {dead} dead");
        summary.add("the events that survived are delivered", complaints);
    }

    /// The control: the same without syncs. If it loses nothing, the power cuts cut nothing, and
    /// the part proves nothing.
    fn not_durable(&mut self, summary: &mut Summary, rounds: usize) {
        for round in 0..rounds {
            let path = self.disk.folder().join(format!("control-{round}.db"));
            let mut ledger = Ledger::default();
            self.cut(Work::LoadNotDurable, &path, &mut ledger);
            let lost = verdict::lost(&ledger, &Contents::of(&path)).len();
            println!("   the control: {} accepted, {lost} lost", ledger.accepted.len());
            if lost > 0 {
                return summary.add("unsynced commits get lost", Vec::new());
            }
        }
        let complaint = format!("{rounds} power cuts, and nothing is lost: they prove nothing");
        summary.add("unsynced commits get lost", vec![complaint]);
    }

    /// Cuts the power at a random moment of this work, and returns the events that it delivered.
    pub(super) fn cut(
        &mut self,
        work: Work,
        path: &Path,
        ledger: &mut Ledger,
    ) -> BTreeMap<u64, usize> {
        self.runs += 1;
        let mut command = work.command(path, self.runs * PER_PROCESS);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let listener = Listener::start(&mut child);
        // A sleep, because the moment of the fault is random.
        thread::sleep(Duration::from_millis(self.rng.u64(20..500)));
        let before = listener.heard();
        self.disk.cut_power();
        child.kill().unwrap();
        child.wait().unwrap();
        self.disk.restart();

        let mut run = Ledger::default();
        for (line, text) in listener.end().iter().enumerate() {
            // In a real power cut, the worker would end at once. Here it lives on for a moment over
            // a file system that is gone, where a sync in flight can appear to succeed. So its
            // later answers do not count.
            if line < before || !Ledger::is_answer(text) {
                ledger.read(text);
                run.read(text);
            }
        }
        run.delivered
    }
}

/// Reads the lines of a worker as they come.
pub(super) struct Listener {
    lines: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

impl Listener {
    /// Waits until the worker has begun.
    pub(super) fn start(child: &mut Child) -> Listener {
        let (begins, begun) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        let thread = thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line.ends_with(BEGUN) {
                    begins.send(()).unwrap();
                }
                heard.lock().unwrap().push(line);
            }
        });
        begun.recv().expect("the worker ended before it began");
        Listener { lines, thread }
    }

    fn heard(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// Waits for the worker's end, and returns all of its lines.
    pub(super) fn end(self) -> Vec<String> {
        self.thread.join().unwrap();
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

/// Complains of events that one run delivered twice.
fn twice(sent: &BTreeMap<u64, usize>) -> Vec<String> {
    let twice = sent.iter().filter(|(_, times)| **times > 1);
    twice
        .map(|(number, times)| format!("event {number} was delivered {times} times by one run"))
        .collect()
}
