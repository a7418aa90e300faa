//! A server, the sandbox, and the processes between them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use intercom_delivery::outbox::{Operate as _, Outbox as _};
use intercom_postgres::PostgresOutbox;
use intercom_sandbox::{Answer, Retention, Sandbox};
use tempfile::TempDir;
use test_postgres::Server;

use crate::events::{Contacts, PER_PROCESS};
use crate::ledger::Ledger;
use crate::pause::{PATIENCE, until};
use crate::plan::Plan;
use crate::process::Process;
use crate::verdict::{Arrival, Evidence, Window};
use crate::worker::{BEGUN, DELIVERS};

/// The limit for a takeover from a killed, stopped or cut-off process.
pub(crate) const TAKEOVER: Duration = Duration::from_secs(10);

/// The settings of a rig's processes.
#[derive(Clone)]
pub(crate) struct Setup {
    /// The URL of the database for the processes.
    pub(crate) database: String,
    pub(crate) listen: bool,
    pub(crate) producers: u64,
    /// The pause of a producer after an event, in milliseconds.
    pub(crate) pace: u64,
    pub(crate) contacts: Contacts,
    pub(crate) environment: Vec<(String, OsString)>,
}

impl Setup {
    pub(crate) fn new(database: &str) -> Self {
        Setup {
            database: database.to_owned(),
            listen: true,
            producers: 2,
            pace: 60,
            contacts: Contacts::Own,
            environment: Vec::new(),
        }
    }
}

pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) setup: Setup,
    pub(crate) processes: Vec<Process>,
    /// The ended processes.
    pub(crate) gone: Vec<Process>,
    folder: TempDir,
    started: u64,
    windows: Vec<Window>,
    killed: BTreeMap<u64, u64>,
    pub(crate) complaints: Vec<String>,
}

impl Rig {
    pub(crate) async fn start(setup: Setup) -> Self {
        let retention = Retention::default().keep_requests(1_000_000).keep_events(1_000_000);
        let sandbox = Sandbox::builder().know_everybody(true).retention(retention);
        let sandbox = sandbox.start().await.unwrap();
        Rig {
            sandbox,
            setup,
            processes: Vec::new(),
            gone: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            started: 0,
            windows: Vec::new(),
            killed: BTreeMap::new(),
            complaints: Vec::new(),
        }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// Starts `number` processes, and waits until one of them delivers.
    pub(crate) async fn start_processes(&mut self, number: usize) {
        let first = self.processes.len();
        for _ in 0..number {
            let setup = self.setup.clone();
            self.start_process(&setup);
        }
        for index in first..self.processes.len() {
            let process = &self.processes[index];
            let begun = until(PATIENCE, || process.said(BEGUN, None).is_some()).await;
            self.expect(begun, "a process does not begin");
        }
        let delivers = until(PATIENCE, || self.deliverer().is_some()).await;
        self.expect(delivers, "no process delivers");
    }

    /// Starts one process with these settings.
    pub(crate) fn start_process(&mut self, setup: &Setup) {
        let plan = Plan {
            number: self.started,
            database: setup.database.clone(),
            listen: setup.listen,
            url: self.sandbox.url().to_owned(),
            token: self.sandbox.token().to_owned(),
            ledger: self.ledger(),
            producers: setup.producers,
            pace: setup.pace,
            contacts: setup.contacts,
        };
        self.started += 1;
        self.processes.push(Process::start(&plan, &setup.environment));
    }

    /// Returns the process that reported last that it delivers, if one does.
    pub(crate) fn deliverer(&self) -> Option<usize> {
        let since = |process: &Process| process.said(DELIVERS, None);
        let delivering =
            (0..self.processes.len()).filter(|index| self.processes[*index].delivers());
        delivering.max_by_key(|index| since(&self.processes[*index]).map(|(at, _)| at))
    }

    /// Records a complaint, unless the condition holds.
    pub(crate) fn expect(&mut self, condition: bool, complaint: &str) {
        if !condition {
            self.complaints.push(complaint.to_owned());
        }
    }

    /// Waits for this many more requests at the sandbox.
    pub(crate) async fn arrive(&mut self, more: usize) {
        let target = self.sandbox.request_count() + more;
        let arrived = until(PATIENCE, || self.sandbox.request_count() >= target).await;
        self.expect(arrived, "events stopped arriving");
    }

    /// Waits for the arrival of events that this process accepts from now on.
    pub(crate) async fn arrive_from(&mut self, index: usize) {
        let of = self.processes[index].number;
        let before = Ledger::read(&self.ledger());
        // Pending events arrive first. A busy machine delivers hardly faster than the processes
        // accept, so each takeover of a long run leaves more of them. Their delivery must only go on.
        let pending = before.accepted.len().saturating_sub(self.sandbox.event_count());
        let target = self.sandbox.request_count() + pending;
        while self.sandbox.request_count() < target {
            let count = self.sandbox.request_count();
            if !until(PATIENCE, || self.sandbox.request_count() > count).await {
                break;
            }
        }
        let last = before.accepted.range(of * PER_PROCESS..(of + 1) * PER_PROCESS).next_back();
        let last = last.copied().unwrap_or(of * PER_PROCESS);
        let arrived = until(PATIENCE, || {
            let is_new =
                |arrival: Arrival| arrival.number > last && arrival.number / PER_PROCESS == of;
            let events = self.sandbox.events();
            events
                .iter()
                .rev()
                .take(200)
                .filter_map(|event| Arrival::of(event.request()))
                .any(is_new)
        });
        let arrived = arrived.await;
        self.expect(arrived, "no event arrives from the process");
    }

    /// Refuses the next `requests` requests for good, and waits until their events are dead
    /// letters.
    pub(crate) async fn refuse(&mut self, server: &Server, requests: usize) {
        for _ in 0..requests {
            self.sandbox.answer_next(Answer::error(422, "parameter_invalid", "it is refused"));
        }
        let letters = || query(server, "SELECT count(*) FROM intercom.letters");
        let there = until(PATIENCE, || letters() == requests.to_string()).await;
        self.expect(there, "the refused events did not become dead letters");
    }

    /// Disturbs the fleet. Events may be sent again until the disturbance is over and the next turn
    /// has settled in.
    pub(crate) async fn disturb(
        &mut self,
        name: &'static str,
        disturbance: impl AsyncFnOnce(&mut Self),
    ) {
        let from = SystemTime::now();
        disturbance(self).await;
        let to = SystemTime::now() + Duration::from_secs(1);
        self.windows.push(Window { name, from, to });
    }

    /// Kills the process at this index, and removes it from the list.
    pub(crate) fn kill(&mut self, index: usize) {
        let mut process = self.processes.remove(index);
        process.kill();
        self.killed.insert(process.number, self.setup.producers);
        self.gone.push(process);
    }

    /// Waits until another process than `from` delivers, within the limit. Returns how long it
    /// took.
    pub(crate) async fn taken_over(&mut self, from: u64, since: Instant) -> Duration {
        let by_another = |rig: &Rig| {
            let others = rig.processes.iter().filter(|process| process.number != from);
            others.filter_map(|process| process.said(DELIVERS, Some(since))).map(|(at, _)| at).min()
        };
        until(PATIENCE, || by_another(self).is_some()).await;
        let Some(at) = by_another(self) else {
            self.complaints.push("no other process takes over".to_owned());
            return Duration::MAX;
        };
        let took = at.duration_since(since);
        println!("       took over after {:.1} s", took.as_secs_f64());
        self.expect(took <= TAKEOVER, &format!("the takeover took {took:?}"));
        took
    }

    /// Ends all processes, delivers the rest, and returns the evidence.
    pub(crate) async fn finish(mut self, server: &Server) -> (Evidence, Vec<String>) {
        self.processes.iter_mut().for_each(Process::tell_to_end);
        for process in &mut self.processes {
            self.complaints.extend(process.ended(PATIENCE));
        }
        let mut last = self.setup.clone();
        (last.database, last.producers, last.environment) = (server.url(), 0, Vec::new());
        self.start_process(&last);
        let outbox = PostgresOutbox::connect(&server.url()).await.unwrap();
        // Intercom's rate limit decides how long a long run's backlog takes, so only progress is
        // checked.
        let mut progress = Instant::now();
        let mut counts = outbox.counts().await.unwrap();
        while counts.pending > 0 && progress.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let before = counts.pending;
            counts = outbox.counts().await.unwrap();
            if counts.pending < before {
                progress = Instant::now();
            }
        }
        if let Some(process) = self.processes.last_mut() {
            process.tell_to_end();
            self.complaints.extend(process.ended(PATIENCE));
        }
        let letters = outbox.dead_letters(None, usize::MAX).await.unwrap();
        let requests = self.sandbox.requests();
        let epoch = query(server, "SELECT epoch FROM intercom.deliverer");
        let evidence = Evidence {
            contacts: self.setup.contacts,
            ledger: Ledger::read(&self.ledger()),
            arrived: requests.iter().filter_map(Arrival::of).collect(),
            dead: letters.into_iter().map(|letter| letter.event.body().to_vec()).collect(),
            counts,
            refused: requests.iter().filter(|request| request.status() == Some(429)).count(),
            takeovers: epoch.parse::<u64>().unwrap() - 1,
            windows: self.windows,
            turns: self.processes.iter().chain(&self.gone).flat_map(Process::turns).collect(),
            killed: self.killed,
        };
        println!(
            "       {}: {} again, {} refused, {} in doubt, {} answers 429, {} takeovers",
            counts,
            evidence.repetitions(),
            evidence.ledger.refused.len(),
            evidence.ledger.in_doubt.len(),
            evidence.refused,
            evidence.takeovers
        );
        (evidence, self.complaints)
    }
}

/// Runs a statement as the superuser, and returns its result.
pub(crate) fn query(server: &Server, sql: &str) -> String {
    let port = server.port().to_string();
    let arguments = ["-h", "127.0.0.1", "-U", "postgres", "-XAtq", "-p", &port, "-c", sql];
    let output = server.run("psql", arguments.map(OsStr::new)).unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
