//! A worker process, seen from the test.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::process::END;

use crate::plan::Plan;
use crate::verdict::Turn;
use crate::worker::{DELIVERS, ENDED, STANDS_BY, WORKER};

pub(crate) struct Process {
    pub(crate) number: u64,
    child: Child,
    heard: Arc<Mutex<Vec<(Instant, String)>>>,
    /// Reads its output until its end.
    hearing: Option<JoinHandle<()>>,
}

impl Process {
    pub(crate) fn start(plan: &Plan, environment: &[(String, OsString)]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.arg(WORKER).arg(serde_json::to_string(plan).unwrap());
        for (name, value) in environment {
            command.env(name, value);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let heard: Arc<Mutex<Vec<_>>> = Arc::default();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let hear = heard.clone();
        let hearing = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                hear.lock().unwrap().push((Instant::now(), line));
            }
        });
        let number = plan.number;
        Process { number, child, heard, hearing: Some(hearing) }
    }

    /// Returns the first line after `after` that begins with `words`: when it came, and its rest.
    pub(crate) fn said(&self, words: &str, after: Option<Instant>) -> Option<(Instant, String)> {
        let heard = self.heard.lock().unwrap();
        let mut lines = heard.iter().filter(|(at, _)| after.is_none_or(|after| *at >= after));
        lines.find_map(|(at, line)| Some((*at, line.strip_prefix(words)?.to_owned())))
    }

    /// Returns whether the worker believes that it delivers.
    pub(crate) fn delivers(&self) -> bool {
        let heard = self.heard.lock().unwrap();
        let states = heard.iter().rev().map(|(_, line)| line);
        let mut states =
            states.filter(|line| line.starts_with(DELIVERS) || line.starts_with(STANDS_BY));
        states.next().is_some_and(|line| line.starts_with(DELIVERS))
    }

    /// Returns each time at which it reported that it began to deliver.
    pub(crate) fn turns(&self) -> Vec<Turn> {
        let heard = self.heard.lock().unwrap();
        let turn = |(at, line): &(Instant, String)| {
            let epoch = line.strip_prefix(DELIVERS)?.parse().ok()?;
            Some(Turn { epoch, at: SystemTime::now() - at.elapsed() })
        };
        heard.iter().filter_map(turn).collect()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "process {} ended by itself: {status}", self.number);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Asks it to end in order.
    pub(crate) fn tell_to_end(&mut self) {
        // If it has ended already, the wait for its end reports that.
        let _ = writeln!(self.child.stdin.as_mut().unwrap(), "{END}");
    }

    /// Waits for its end, and returns what went wrong.
    pub(crate) fn ended(&mut self, patience: Duration) -> Option<String> {
        let begun = Instant::now();
        while self.said(ENDED, None).is_none() {
            if let Some(status) = self.child.try_wait().unwrap() {
                // Its last lines may not be read yet.
                self.hearing.take().map(JoinHandle::join);
                let number = self.number;
                let has_failed = !status.success() || self.said(ENDED, None).is_none();
                return has_failed.then(|| format!("process {number} failed: {status}"));
            }
            if begun.elapsed() > patience {
                let _ = self.child.kill();
                return Some(format!("process {} does not end", self.number));
            }
            thread::sleep(Duration::from_millis(5));
        }
        // Its input stays open until then, because closing it would end the process at once.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
