//! `GET /_sandbox/feed`: incoming requests as server-sent events.
//!
//! A viewer holds a position in the journal and its current message. Later requests wait in the
//! journal, so that a slow viewer costs little memory, and no viewer costs none. A viewer that
//! falls too far behind gets the number of skipped requests. The feed disconnects a viewer that
//! reads nothing while others need the memory. The viewer resumes after its last message.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::error::AdminError;
use super::record::written;
use super::state::{budget, counted};

use crate::answer_budget::{AnswerDropped, PendingAnswer};
use crate::journal::JournalPosition;
use crate::workspace::Workspace;

/// The shortest time between two messages; the page cannot draw faster.
const FLUSH: Duration = Duration::from_millis(100);

/// The longest time between two messages, so that the page sees the budget refill.
const TICK: Duration = Duration::from_secs(1);

/// The limit of records in a message.
const BATCH: usize = 500;

/// The size of a message, in bytes, from which it takes no further record.
const BATCH_BYTES: usize = 512 << 10;

/// How many requests a viewer can be behind, which is as many as the page keeps. The feed skips
/// older requests.
const MAX_BACKLOG: usize = 10_000;

/// When a disconnected browser retries, in milliseconds.
const RETRY: u64 = 1000;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    // Distinguishes this sandbox from an earlier one, whose numbers mean other requests.
    let run = RandomState::new().hash_one("run");
    Router::new().route("/feed", get(move |state, query, headers| feed(run, state, query, headers)))
}

/// Where to resume: the id of the last message read, or the number of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedQuery {
    after: Option<String>,
}

/// Streams the feed. Messages are
/// - `begin`, before the first request: `version` and `url` of the sandbox. A viewer forgets
///   earlier messages, because this is another sandbox or somebody cleared it;
/// - `update`: the time `now` in milliseconds, `counts`, `rate_limit`, the number of active
///   `faults`, the new `records`, and the number of `skipped` requests before them;
/// - `end`: the sandbox has ended.
async fn feed(
    run: u64,
    State(workspace): State<Arc<Workspace>>,
    query: Result<Query<FeedQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, AdminError> {
    let Query(query) = query.map_err(|_| {
        AdminError::bad_request(
            "the query can have only `after`: the id of the last message, or the number of the \
             last request",
        )
    })?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let clearings = workspace.journal.counts().clearings;
    let position = match query.after.as_deref().map(str::parse) {
        Some(Ok(number)) if last.is_none() => Some(JournalPosition { clearings, number }),
        _ => last.or(query.after.as_deref()).and_then(|id| position_of(run, id)),
    };
    let now = Instant::now();
    let viewer =
        Viewer { workspace, run, position, sent_at: now, due: now, ended: false, message: None };
    let body = Body::from_stream(stream::unfold(viewer, Viewer::next_piece));
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response())
}

/// A client of the feed.
struct Viewer {
    workspace: Arc<Workspace>,
    run: u64,
    /// The position in the journal; `None` before the beginning.
    position: Option<JournalPosition>,
    sent_at: Instant,
    /// When the next message is due without news.
    due: Instant,
    ended: bool,
    /// The current message.
    message: Option<PendingAnswer>,
}

#[derive(Serialize)]
struct Update {
    now: u128,
    counts: Value,
    rate_limit: Option<Value>,
    faults: usize,
    skipped: usize,
    records: Vec<Box<RawValue>>,
}

impl Viewer {
    /// Returns the next piece of a message, for as long as the connection takes pieces.
    async fn next_piece(mut self) -> Option<(Result<Bytes, AnswerDropped>, Self)> {
        loop {
            if let Some(piece) = self.message.as_mut().and_then(PendingAnswer::take) {
                return Some((piece, self));
            }
            let message = self.next().await?;
            self.message = Some(self.workspace.answer_budget.keep(message));
        }
    }

    /// Returns the next message; `None` after the last.
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let Some(position) = self.position else {
            return Some(self.begin());
        };
        let workspace = Arc::clone(&self.workspace);
        Some(tokio::select! {
            biased;
            () = workspace.closing.begun() => {
                self.ended = true;
                "event: end\ndata: {}\n\n".to_owned()
            }
            () = self.wait_for_update(position) => self.update(position),
        })
    }

    async fn wait_for_update(&self, position: JournalPosition) {
        // Both a change and the due time end the wait.
        let _ = timeout_at(self.due, self.workspace.journal.changed_since(position)).await;
        sleep_until(self.due.min(self.sent_at + FLUSH)).await;
    }

    fn begin(&mut self) -> String {
        let counts = self.workspace.journal.counts();
        self.position = Some(JournalPosition { clearings: counts.clearings, number: 0 });
        self.due = Instant::now();
        let begin = json!({"version": env!("CARGO_PKG_VERSION"), "url": self.workspace.url});
        format!("event: begin\nretry: {RETRY}\ndata: {begin}\n\n")
    }

    fn update(&mut self, position: JournalPosition) -> String {
        let workspace = &self.workspace;
        let (counts, requests) = workspace.journal.snapshot(
            |counts| position.number.max(counts.requests.saturating_sub(MAX_BACKLOG)),
            BATCH,
        );
        if counts.clearings != position.clearings {
            return self.begin();
        }
        let (records, last) = written(&requests, BATCH_BYTES);
        // Without a record, nothing is new, or the journal has forgotten what is new.
        let number = last.unwrap_or(counts.requests);
        // A fault that lowers the limit may have ended since the last request.
        workspace.apply_lowered_limits();
        let update = Update {
            now: workspace.clock.now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis()),
            counts: counted(&counts),
            rate_limit: budget(workspace, &workspace.apps.first().rate_limit),
            faults: workspace.faults.list(workspace.clock.now()).len(),
            skipped: number.saturating_sub(position.number).saturating_sub(records.len()),
            records,
        };
        let position = JournalPosition { clearings: counts.clearings, number };
        self.position = Some(position);
        self.sent_at = Instant::now();
        self.due = self.sent_at + TICK;
        let id = id_of(self.run, position);
        // Text and numbers always serialize, and JSON has no line breaks.
        let update = serde_json::to_string(&update).unwrap_or_default();
        format!("event: update\nid: {id}\ndata: {update}\n\n")
    }
}

fn id_of(run: u64, position: JournalPosition) -> String {
    format!("{run:x}-{}-{}", position.clearings, position.number)
}

/// Returns the position of an id, if this sandbox created the id.
fn position_of(run: u64, id: &str) -> Option<JournalPosition> {
    let mut parts = id.splitn(3, '-');
    let of_run = u64::from_str_radix(parts.next()?, 16).ok()?;
    let clearings = parts.next()?.parse().ok()?;
    let number = parts.next()?.parse().ok()?;
    (of_run == run).then_some(JournalPosition { clearings, number })
}
