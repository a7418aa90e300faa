//! The state file: contacts, event names, and the remembered requests with their events.
//!
//! Restoring replays the requests by the current rules. So the file does not depend on how a run
//! numbers contacts and names.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{self, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::api;
use crate::contacts::StoredContacts;
use crate::event::EventKey;
use crate::received::{Draft, Outcome, ReceivedRequest, RecordedAnswer};
use crate::refusal::Problem;
use crate::rules;
use crate::workspace::Workspace;

/// The delay between a change and the write.
const WRITE_DELAY: Duration = Duration::from_secs(3);

/// The version of the file's form; the sandbox refuses any other.
const VERSION: u32 = 1;

/// The contents of a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    version: Version,
    pub(crate) contacts: StoredContacts,
    /// In order of activation.
    event_names: Vec<Box<str>>,
    requests: Vec<StoredRequest>,
}

/// The only version.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
#[derive(Clone, Copy)]
struct Version;

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        if version == VERSION {
            Ok(Self)
        } else {
            Err(format!("its version is {version}, and this sandbox reads version {VERSION}"))
        }
    }
}

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        VERSION
    }
}

#[derive(Serialize, Deserialize)]
struct StoredRequest {
    /// Unix milliseconds.
    received_at: u64,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    /// Base64, as the answer is.
    body: String,
    status: Option<u16>,
    answer: String,
    outcome: StoredOutcome,
    fault: Option<String>,
    problems: Vec<StoredProblem>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredOutcome {
    Accepted,
    Duplicate,
    Refused,
    Faulted,
    Served,
}

#[derive(Serialize, Deserialize)]
struct StoredProblem {
    code: String,
    message: String,
    field: Option<String>,
    hint: Option<String>,
}

/// Why the sandbox cannot use a state file.
#[derive(Debug, Error)]
pub(crate) enum InvalidState {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot lock {}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("another sandbox uses {}", path.display())]
    InUse { path: PathBuf },
    #[error("{} is not a state file", path.display())]
    Parse { path: PathBuf, source: serde_json::Error },
}

impl State {
    /// Reads a state file; returns `None` if there is no file yet.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, InvalidState> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(InvalidState::Read { path: path.to_owned(), source }),
        };
        let parsed = serde_json::from_slice(&text);
        parsed.map(Some).map_err(|source| InvalidState::Parse { path: path.to_owned(), source })
    }

    fn of(workspace: &Workspace) -> Self {
        // Events and other requests have different retention, so each set can have requests that
        // the other lacks.
        let mut requests = workspace.journal.requests();
        let events = workspace.journal.events();
        requests.extend(events.iter().map(|event| event.request().clone()));
        requests.sort_by_key(ReceivedRequest::number);
        requests.dedup_by_key(|request| request.number());
        Self {
            version: Version,
            contacts: workspace.contacts.stored(),
            event_names: workspace.event_names.all(),
            requests: requests.iter().map(StoredRequest::of).collect(),
        }
    }

    /// Activates the names and records the requests again.
    pub(crate) fn replay(self, workspace: &Workspace) {
        for name in &self.event_names {
            // A name over this run's limit stays inactive.
            let _ = workspace.event_names.admit(name);
        }
        for request in self.requests {
            request.replay(workspace);
        }
    }
}

impl StoredRequest {
    fn of(request: &ReceivedRequest) -> Self {
        let received_at = request.received_at().duration_since(UNIX_EPOCH).unwrap_or_default();
        let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
        let owned = |text: &str| text.to_owned();
        Self {
            received_at: u64::try_from(received_at.as_millis()).unwrap_or(u64::MAX),
            method: request.method().to_owned(),
            target: format!("{}{query}", request.path()),
            headers: request.headers().map(|(name, value)| (owned(name), owned(value))).collect(),
            body: BASE64.encode(request.body()),
            status: request.status(),
            answer: BASE64.encode(request.answer()),
            outcome: request.outcome().into(),
            fault: request.fault().map(owned),
            problems: request
                .problems()
                .iter()
                .map(|problem| StoredProblem {
                    code: problem.code().to_owned(),
                    message: problem.message().to_owned(),
                    field: problem.field().map(owned),
                    hint: problem.hint().map(owned),
                })
                .collect(),
        }
    }

    fn replay(self, workspace: &Workspace) {
        // A hand-edited file can have bytes that are not a request; the replay skips them.
        let (Ok(body), Ok(answer)) = (BASE64.decode(&self.body), BASE64.decode(&self.answer))
        else {
            return;
        };
        let request = http::Request::builder().method(&*self.method).uri(&self.target).body(());
        let Ok(request) = request else { return };
        let mut parts = request.into_parts().0;
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<http::HeaderName>(), HeaderValue::try_from(value))
            {
                parts.headers.append(name, value);
            }
        }
        let outcome = Outcome::from(self.outcome);
        let is_event = matches!(outcome, Outcome::Accepted | Outcome::Duplicate);
        let event = is_event.then(|| event_key(workspace, &body)).flatten();
        if let Some(event_key) = event.filter(|_| outcome == Outcome::Accepted) {
            workspace.duplicates.remember(event_key);
        }
        let body = Bytes::from(body);
        if outcome == Outcome::Served && (&*self.method, parts.uri.path()) == api::SUMMARIES {
            // Replaying refuses a refused summary again.
            let _ = api::create_summaries(workspace, &body);
        }
        let problems = self.problems.into_iter().map(|problem| Problem {
            code: problem.code.into(),
            message: problem.message.into(),
            field: problem.field,
            hint: problem.hint.map(Into::into),
        });
        let answered = RecordedAnswer {
            status: self.status,
            body: answer.into(),
            outcome,
            event,
            problems: problems.collect(),
            fault: self.fault.map(Into::into),
        };
        let received_at = UNIX_EPOCH.checked_add(Duration::from_millis(self.received_at));
        let received_at = received_at.unwrap_or(SystemTime::UNIX_EPOCH);
        let draft = Draft::new(received_at, &workspace.rules, &parts, &body, answered);
        workspace.journal.record(draft);
    }
}

/// Returns the key of a kept event in this run.
fn event_key(workspace: &Workspace, body: &[u8]) -> Option<EventKey> {
    let rules = &workspace.rules;
    let event = rules::event::read(body, rules, &*workspace.clock).ok()?;
    let (kind, value) = event.identifiers.first(rules.identifier_order)?;
    let contact = workspace.contacts.restored_key(kind, value);
    let name = workspace.event_names.admit(&event.name).ok()?;
    Some(EventKey { contact, name, created_at: event.created_at })
}

impl From<Outcome> for StoredOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accepted,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Refused => Self::Refused,
            Outcome::Faulted => Self::Faulted,
            Outcome::Served => Self::Served,
        }
    }
}

impl From<StoredOutcome> for Outcome {
    fn from(outcome: StoredOutcome) -> Self {
        match outcome {
            StoredOutcome::Accepted => Self::Accepted,
            StoredOutcome::Duplicate => Self::Duplicate,
            StoredOutcome::Refused => Self::Refused,
            StoredOutcome::Faulted => Self::Faulted,
            StoredOutcome::Served => Self::Served,
        }
    }
}

/// The lock on a file next to the state file. While a sandbox holds the lock, no other sandbox uses
/// the state file. The operating system releases the lock at any end of the process.
///
/// A lock on the state file itself would not last, because every write replaces the file.
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Locks the state file at this path, which need not exist.
    pub(crate) fn take(path: &Path) -> Result<Self, InvalidState> {
        let locked = |path| -> Result<File, TryLockError> {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).open(path);
            let file = file.map_err(TryLockError::Error)?;
            file.try_lock()?;
            Ok(file)
        };
        match locked(with_suffix(path, ".lock")) {
            Ok(file) => Ok(Self { path: path.to_owned(), file }),
            Err(TryLockError::WouldBlock) => Err(InvalidState::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => {
                Err(InvalidState::Lock { path: path.to_owned(), source })
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child process can inherit the handle.
        let _ = self.file.unlock();
    }
}

/// Returns the path of the same name with an added ending.
fn with_suffix(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// Writes the file after changes, until its drop.
pub(crate) struct StateSaver {
    file: Arc<StateFile>,
    task: JoinHandle<()>,
    /// Outside `StateFile`, because the task may drop that later.
    _lock: Lock,
}

struct StateFile {
    path: PathBuf,
    workspace: Arc<Workspace>,
    /// The revision last written. A writer holds the mutex, so there is one writer at a time.
    written: Mutex<Option<Revision>>,
}

/// A value that differs after each change.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Revision {
    requests: usize,
    clearings: usize,
    contacts: u64,
}

impl StateSaver {
    pub(crate) fn start(lock: Lock, workspace: Arc<Workspace>) -> Self {
        let path = lock.path.clone();
        let file = Arc::new(StateFile { path, workspace, written: Mutex::new(None) });
        let kept = Arc::clone(&file);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(WRITE_DELAY).await;
                // The next explicit save reports the error.
                let _ = kept.write().await;
            }
        });
        Self { file, task, _lock: lock }
    }

    /// Writes the file, if anything has changed since the last write.
    pub(crate) async fn write(&self) -> io::Result<()> {
        self.file.write().await
    }
}

impl Drop for StateSaver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StateFile {
    async fn write(self: &Arc<Self>) -> io::Result<()> {
        let mut written = self.written.lock().await;
        let revision = self.revision();
        if *written == Some(revision) {
            return Ok(());
        }
        let file = Arc::clone(self);
        spawn_blocking(move || file.write_now()).await??;
        *written = Some(revision);
        Ok(())
    }

    fn revision(&self) -> Revision {
        let counts = self.workspace.journal.counts();
        let contacts = self.workspace.contacts.revision();
        Revision { requests: counts.requests, clearings: counts.clearings, contacts }
    }

    /// Replaces the old file atomically, so that a reader or a crash finds a whole file.
    fn write_now(&self) -> io::Result<()> {
        let text = serde_json::to_vec(&State::of(&self.workspace))?;
        let new = with_suffix(&self.path, ".new");
        let mut file = File::create(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}
