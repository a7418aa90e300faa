//! Starts processes, ends them, and collects the evidence.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use fastrand::Rng;
use intercom_sandbox::{Answer, Retention, Sandbox};
use intercom_sqlite::SqliteOutbox;
use tempfile::TempDir;
use tests::process::END;
use tokio::time::timeout;

use crate::child::{BEGUN, HANGS};
use crate::events::PER_PROCESS;
use crate::plan::{OutboxKind, Plan, Work};
use crate::verdict::{Arrival, Evidence};

pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    outbox: OutboxKind,
    rng: Rng,
    data: TempDir,
    ledger: TempDir,
    runs: u64,
    killed: BTreeSet<u64>,
    /// The last time from start to begin.
    opening: Duration,
    /// The pending events that new starts found, in total.
    pub(crate) found: u64,
}

impl Rig {
    pub(crate) async fn start(outbox: OutboxKind) -> Self {
        // Keeps every arrival, also those that Intercom would ignore as duplicates.
        let sandbox = Sandbox::builder().know_everybody(true).no_rate_limit().deduplicate(false);
        let sandbox =
            sandbox.retention(Retention::default().keep_events(usize::MAX)).start().await.unwrap();
        let (data, ledger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (rng, opening) = (Rng::with_seed(seed()), Duration::ZERO);
        let killed = BTreeSet::new();
        Rig { sandbox, outbox, rng, data, ledger, runs: 0, killed, opening, found: 0 }
    }

    /// Starts the process, and kills it during this work. It must not end before.
    pub(crate) fn kill_while(&mut self, work: Work) {
        let started = Instant::now();
        let mut run = self.spawn(work);
        let moment = match work {
            Work::Opening => self.opening.mul_f64(1.2 * self.rng.f64()),
            _ => {
                self.found += run.begun();
                self.opening = started.elapsed();
                self.moment()
            }
        };
        self.kill(run, moment);
    }

    /// Kills a process after `moment`. It must not end before.
    pub(crate) fn kill(&mut self, mut run: Run, moment: Duration) {
        // A sleep, because the moment of the fault is random.
        thread::sleep(moment);
        run.child.kill().unwrap();
        let status = run.child.wait().unwrap();
        let number = run.number;
        assert_eq!(status.signal(), Some(9), "run {number} ended by itself: {status}");
        self.killed.insert(number);
    }

    /// Returns how long a process works before its kill.
    pub(crate) fn moment(&mut self) -> Duration {
        Duration::from_micros(self.rng.u64(5_000..60_000))
    }

    /// Refuses the next `requests` requests permanently, so that their events become dead letters.
    pub(crate) fn refuse(&self, requests: usize) {
        for _ in self.sandbox.pending_answers()..requests {
            self.sandbox.answer_next(Answer::error(422, "parameter_invalid", "refused"));
        }
    }

    /// Waits for the arrival of an event that this run accepted.
    pub(crate) async fn arrived_from(&self, run: u64) {
        let mut events = self.sandbox.events();
        while !events.iter().any(|event| Arrival::of(event).number / PER_PROCESS == run) {
            let more = self.sandbox.wait_for(events.len() + 10);
            events = timeout(HANGS, more).await.expect("events keep arriving");
        }
    }

    /// Lets a process deliver the rest and end, and returns the evidence.
    pub(crate) fn finish(mut self) -> Evidence {
        let mut run = self.spawn(Work::Ending);
        self.found += run.begun();
        run.ended();

        let accepted = fs::read_to_string(self.ledger()).unwrap();
        let accepted = accepted.lines().map(|line| line.parse().unwrap()).collect();
        let arrived = self.sandbox.events().iter().map(Arrival::of).collect();
        let (killed, dead) = (self.killed.clone(), Vec::new());
        let mut evidence = Evidence { killed, accepted, arrived, dead, file_counts: None };
        if self.outbox == OutboxKind::Sqlite {
            let file = SqliteOutbox::inspect(self.events()).unwrap();
            assert_eq!(file.check().unwrap(), Vec::<String>::new());
            evidence.file_counts = Some(file.counts().unwrap());
            let letters = file.dead_letters(None, usize::MAX).unwrap();
            evidence.dead =
                letters.into_iter().map(|letter| letter.event.body().to_vec()).collect();
        }
        evidence
    }

    pub(crate) fn spawn(&mut self, work: Work) -> Run {
        let plan = Plan {
            outbox: self.outbox,
            work,
            run: self.runs,
            url: self.sandbox.url().to_owned(),
            token: self.sandbox.token().to_owned(),
            data: self.events(),
            ledger: self.ledger(),
        };
        self.runs += 1;
        let mut command = Command::new(env::current_exe().unwrap());
        plan.set_environment(&mut command);
        command.args(["--exact", "child::child", "--ignored", "--nocapture"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Run { number: plan.run, child, lines, heard: Vec::new() }
    }

    fn events(&self) -> PathBuf {
        self.data.path().join("events.db")
    }

    fn ledger(&self) -> PathBuf {
        self.ledger.path().join("accepted")
    }
}

/// One run of the process.
pub(crate) struct Run {
    pub(crate) number: u64,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    heard: Vec<String>,
}

impl Run {
    /// Waits until the process has begun, and returns how many events it found.
    pub(crate) fn begun(&mut self) -> u64 {
        self.wait_for_line(BEGUN).parse().unwrap()
    }

    /// Waits for a line that begins with `words`, and returns its rest.
    pub(crate) fn wait_for_line(&mut self, words: &str) -> String {
        loop {
            let rest = |line: &String| Some(line.strip_prefix(words)?.to_owned());
            if let Some(rest) = self.heard.iter().find_map(rest) {
                return rest;
            }
            match self.lines.next() {
                Some(line) => self.heard.push(line.unwrap()),
                None => panic!("run {} ended before it printed {words:?}", self.number),
            }
        }
    }

    /// Asks the process to end, and waits for its end.
    pub(crate) fn end(mut self) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{END}").unwrap();
        self.ended();
    }

    /// Waits until the process has ended in order. Its pipes stay open until then: the process ends
    /// when its input closes, and its test harness writes to its output.
    fn ended(mut self) {
        let _stdin = self.child.stdin.take();
        for line in &mut self.lines {
            line.unwrap();
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "run {}: {status}", self.number);
    }
}

/// Returns the number of kills: `CRASHES_KILLS`, or a default.
pub(crate) fn kills() -> usize {
    env::var("CRASHES_KILLS").map_or(12, |kills| kills.parse().unwrap())
}

/// Returns a random seed, unless `CRASHES_SEED` is set.
#[allow(clippy::print_stderr, reason = "the output explains a failure")]
fn seed() -> u64 {
    let seed = env::var("CRASHES_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    eprintln!("to repeat it: CRASHES_SEED={seed}");
    seed
}
