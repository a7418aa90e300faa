//! `GET /_sandbox/feed`: what comes in, as it comes in, as server-sent events.
//!
//! A viewer is a place in the journal, and the message that it is being told. What comes after that
//! waits in the journal, so that one who reads slowly, or not at all, costs little memory, and nobody
//! at all costs nothing. A viewer that falls too far behind gets the number of requests left out.
//! A viewer that reads nothing while others need the room is disconnected, and resumes after its last
//! message when it reconnects.

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

use crate::answer_budget::{GivenUp, Ticket};
use crate::journal::Place;
use crate::workspace::Workspace;

/// The shortest time between two messages: more would only be drawn over each other.
const FLUSH: Duration = Duration::from_millis(100);

/// The longest time between two messages: the budget comes back though nothing comes in.
const TICK: Duration = Duration::from_secs(1);

/// How many records a message has at most.
const BATCH: usize = 500;

/// The size from which on a message takes no further record, in bytes.
const BATCH_BYTES: usize = 512 << 10;

/// How many requests a viewer may be behind, which is as many as the page keeps. To one who is further
/// behind the oldest are no longer told.
const BEHIND: usize = 10_000;

/// How soon a browser tries again that has lost the connection, in milliseconds.
const RETRY: u64 = 1000;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    // Tells this sandbox from one that was here before, whose numbers mean other requests.
    let run = RandomState::new().hash_one("run");
    Router::new().route("/feed", get(move |state, query, headers| feed(run, state, query, headers)))
}

/// Where to go on: the id of the last message that was read, or the number of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    after: Option<String>,
}

/// Messages are
/// - `begin`, before the first request: `version` and `url` of the sandbox. Whatever was told before
///   is over: another sandbox has taken its place, or it was cleared;
/// - `update`: the time `now` in milliseconds, `counts`, `rate_limit`, how many `faults` stand, the
///   `records` that are new, and before them the number of those that were `skipped`;
/// - `end`: the sandbox has ended.
async fn feed(
    run: u64,
    State(workspace): State<Arc<Workspace>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, AdminError> {
    let Query(wanted) = wanted.map_err(|_| {
        AdminError::bad_request(
            "the query has `after`, the id of the last message or the number of the last request that \
             was read, and nothing else",
        )
    })?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let clearings = workspace.journal.counts().clearings;
    let place = match wanted.after.as_deref().map(str::parse) {
        Some(Ok(number)) if last.is_none() => Some(Place { clearings, number }),
        _ => last.or(wanted.after.as_deref()).and_then(|id| place_of(run, id)),
    };
    let now = Instant::now();
    let viewer =
        Viewer { workspace, run, place, told_at: now, due: now, ended: false, message: None };
    let body = Body::from_stream(stream::unfold(viewer, Viewer::next_piece));
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response())
}

/// One who looks.
struct Viewer {
    workspace: Arc<Workspace>,
    run: u64,
    /// How far it was told; `None` before the beginning.
    place: Option<Place>,
    told_at: Instant,
    /// When the next message is due though nothing is new.
    due: Instant,
    ended: bool,
    /// What it is being told.
    message: Option<Ticket>,
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
    /// The next piece of a message, for as long as the connection takes them.
    async fn next_piece(mut self) -> Option<(Result<Bytes, GivenUp>, Self)> {
        loop {
            if let Some(piece) = self.message.as_mut().and_then(Ticket::take) {
                return Some((piece, self));
            }
            let message = self.next().await?;
            self.message = Some(self.workspace.answer_budget.keep(message));
        }
    }

    /// The next message; `None` after the last.
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let Some(place) = self.place else {
            return Some(self.begin());
        };
        let workspace = Arc::clone(&self.workspace);
        Some(tokio::select! {
            biased;
            () = workspace.closing.begun() => {
                self.ended = true;
                "event: end\ndata: {}\n\n".to_owned()
            }
            () = self.something_to_tell(place) => self.update(place),
        })
    }

    async fn something_to_tell(&self, place: Place) {
        // Either is as good as the other: a change, or that it is time.
        let _ = timeout_at(self.due, self.workspace.journal.moved_from(place)).await;
        sleep_until(self.due.min(self.told_at + FLUSH)).await;
    }

    fn begin(&mut self) -> String {
        let counts = self.workspace.journal.counts();
        self.place = Some(Place { clearings: counts.clearings, number: 0 });
        self.due = Instant::now();
        let begin = json!({"version": env!("CARGO_PKG_VERSION"), "url": self.workspace.url});
        format!("event: begin\nretry: {RETRY}\ndata: {begin}\n\n")
    }

    fn update(&mut self, place: Place) -> String {
        let workspace = &self.workspace;
        let (counts, requests) = workspace
            .journal
            .glance(|counts| place.number.max(counts.requests.saturating_sub(BEHIND)), BATCH);
        if counts.clearings != place.clearings {
            return self.begin();
        }
        let (records, last) = written(&requests, BATCH_BYTES);
        // Without one there is nothing new, or nothing that is kept.
        let number = last.unwrap_or(counts.requests);
        // A limit that a fault has lowered may have ended since the last request.
        workspace.apply_lowered_limits();
        let update = Update {
            now: workspace.clock.now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis()),
            counts: counted(&counts),
            rate_limit: budget(workspace, &workspace.apps.first().rate_limit),
            faults: workspace.faults.list(workspace.clock.now()).len(),
            skipped: number.saturating_sub(place.number).saturating_sub(records.len()),
            records,
        };
        let place = Place { clearings: counts.clearings, number };
        self.place = Some(place);
        self.told_at = Instant::now();
        self.due = self.told_at + TICK;
        let id = id_of(self.run, place);
        // Text and numbers cannot fail to become JSON, which has no line breaks of its own.
        let update = serde_json::to_string(&update).unwrap_or_default();
        format!("event: update\nid: {id}\ndata: {update}\n\n")
    }
}

fn id_of(run: u64, place: Place) -> String {
    format!("{run:x}-{}-{}", place.clearings, place.number)
}

/// The place of an id, where this sandbox gave it.
fn place_of(run: u64, id: &str) -> Option<Place> {
    let mut parts = id.splitn(3, '-');
    let of_run = u64::from_str_radix(parts.next()?, 16).ok()?;
    let clearings = parts.next()?.parse().ok()?;
    let number = parts.next()?.parse().ok()?;
    (of_run == run).then_some(Place { clearings, number })
}
