//! `GET /_sandbox/catalogue`: the accepted event names with their keys, and a warning if a name's
//! events differ in form.
//!
//! Each request computes the catalogue from the remembered events, so that events cost nothing
//! extra on arrival.

mod entry;
mod kind;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use crate::event_names::NameId;
use crate::events_lock::EventsLock;
use crate::received::ReceivedEvent;
use crate::reply::Reply;
use crate::workspace::Workspace;
use entry::Entry;

/// The events to process before the task yields.
const CHUNK: usize = 1000;

/// The limit of names in an answer.
const NAMES: usize = 1000;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new().route("/catalogue", get(catalogue))
}

async fn catalogue(State(workspace): State<Arc<Workspace>>) -> Response {
    let mut catalogue = Catalogue::default();
    let mut number = 0;
    loop {
        let events = workspace.journal.events_after(number, CHUNK);
        let Some(last) = events.last() else {
            break;
        };
        number = last.request().number();
        events.iter().for_each(|event| catalogue.record(event));
        tokio::task::yield_now().await;
    }
    if let Some(lock) = &workspace.rules.lock {
        catalogue.compare(lock, &workspace.event_names.all());
    }
    workspace.answer_budget.response(Reply::json(&catalogue.finish()))
}

/// In order of first arrival.
#[derive(Default, Serialize)]
struct Catalogue {
    events: usize,
    names: Vec<Entry>,
    /// The number of events whose name exceeds the limit.
    left_out: usize,
    /// The lock's names that never arrived, if there is a lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    never_sent: Option<Vec<String>>,
    #[serde(skip)]
    places: HashMap<NameId, usize>,
}

impl Catalogue {
    fn record(&mut self, event: &ReceivedEvent) {
        self.events += 1;
        let place = *self.places.entry(event.event_key.name).or_insert(self.names.len());
        if place == self.names.len() {
            if place == NAMES {
                self.left_out += 1;
                return;
            }
            self.names.push(Entry::new(event));
        }
        self.names[place].record(event);
    }

    fn compare(&mut self, lock: &EventsLock, sent: &[Box<str>]) {
        self.names.iter_mut().for_each(|entry| entry.compare(lock));
        self.never_sent = Some(lock.others(sent));
    }

    fn finish(mut self) -> Self {
        self.names.iter_mut().for_each(Entry::finish);
        self
    }
}
