//! Starts the process, kills it, and collects what is known then.

use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use fastrand::Rng;
use intercom_sandbox::{Answer, Retention, Sandbox};
use intercom_sqlite::SqliteOutbox;
use tempfile::TempDir;

use crate::child::BEGUN;
use crate::plan::{Keeper, Plan, Work};
use crate::verdict::{Arrival, Evidence};

pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    keeper: Keeper,
    rng: Rng,
    data: TempDir,
    ledger: TempDir,
    runs: u64,
    /// How long it took the process to begin, the last time.
    opening: Duration,
    /// How many events a new start found, over all of them.
    pub(crate) found: u64,
}

impl Rig {
    pub(crate) async fn start(keeper: Keeper) -> Self {
        // Everything that arrives is kept, also what Intercom would know from before.
        let sandbox = Sandbox::builder().know_everybody(true).no_rate_limit().deduplicate(false);
        let sandbox =
            sandbox.retention(Retention::default().keep_events(usize::MAX)).start().await.unwrap();
        let (data, ledger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (rng, opening) = (Rng::with_seed(seed()), Duration::ZERO);
        Rig { sandbox, keeper, rng, data, ledger, runs: 0, opening, found: 0 }
    }

    /// Starts the process, and kills it while it does this. It must not have ended before.
    pub(crate) fn kill_while(&mut self, work: Work) {
        let started = Instant::now();
        let mut child = self.spawn(work);
        let moment = match work {
            Work::Opening => self.opening.mul_f64(1.2 * self.rng.f64()),
            _ => {
                self.found += begun(&mut child);
                self.opening = started.elapsed();
                Duration::from_micros(self.rng.u64(5_000..60_000))
            }
        };
        // This is the fault itself, and nothing is waited for.
        thread::sleep(moment);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let run = self.runs - 1;
        assert_eq!(status.signal(), Some(9), "run {run}, {work:?}, ended by itself: {status}");
    }

    /// The next so many requests are refused for good: their events are dead letters.
    pub(crate) fn refuse(&self, requests: usize) {
        for _ in self.sandbox.pending_answers()..requests {
            self.sandbox.answer_next(Answer::status(422));
        }
    }

    /// Lets the process deliver what is left and end, and says what is known.
    pub(crate) fn finish(mut self) -> Evidence {
        let kills = self.runs;
        let mut child = self.spawn(Work::Ending);
        self.found += begun(&mut child);
        let status = ended(child);
        assert!(status.success(), "{status}");

        let accepted = fs::read_to_string(self.ledger()).unwrap();
        let accepted = accepted.lines().map(|line| line.parse().unwrap()).collect();
        let arrived = self.sandbox.events().iter().map(Arrival::of).collect();
        let mut evidence = Evidence { kills, accepted, arrived, dead: Vec::new(), books: None };
        if self.keeper == Keeper::Sqlite {
            let file = SqliteOutbox::inspect(self.events()).unwrap();
            assert_eq!(file.check().unwrap(), Vec::<String>::new());
            evidence.books = Some(file.counts().unwrap());
            let letters = file.dead_letters(None, usize::MAX).unwrap();
            evidence.dead =
                letters.into_iter().map(|letter| letter.event.body().to_vec()).collect();
        }
        evidence
    }

    fn spawn(&mut self, work: Work) -> Child {
        let plan = Plan {
            keeper: self.keeper,
            work,
            run: self.runs,
            url: self.sandbox.url().to_owned(),
            token: self.sandbox.token().to_owned(),
            data: self.events(),
            ledger: self.ledger(),
        };
        self.runs += 1;
        let mut command = Command::new(env::current_exe().unwrap());
        plan.tell(&mut command);
        command.args(["--exact", "child::child", "--ignored", "--nocapture"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn events(&self) -> PathBuf {
        self.data.path().join("events.db")
    }

    fn ledger(&self) -> PathBuf {
        self.ledger.path().join("accepted")
    }
}

/// Waits until the process has begun, and says how many events it found.
fn begun(child: &mut Child) -> u64 {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let found = lines.find_map(|line| Some(line.unwrap().strip_prefix(BEGUN)?.parse().unwrap()));
    found.expect("it ended before it had begun")
}

/// Waits until the process has ended. Its pipes stay open until then: it ends where the one is closed, and the harness
/// in it has something to say through the other.
fn ended(mut child: Child) -> ExitStatus {
    let _stdin = child.stdin.take();
    io::copy(child.stdout.as_mut().unwrap(), &mut io::sink()).unwrap();
    child.wait().unwrap()
}

/// How often the process is killed, unless told otherwise.
pub(crate) fn kills() -> usize {
    env::var("CRASHES_KILLS").map_or(12, |kills| kills.parse().unwrap())
}

/// A seed that is another one in each run, unless `CRASHES_SEED` has one to repeat.
#[allow(clippy::print_stderr, reason = "it is shown where the test fails")]
fn seed() -> u64 {
    let seed = env::var("CRASHES_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    eprintln!("to repeat it: CRASHES_SEED={seed}");
    seed
}
