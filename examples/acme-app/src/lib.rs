//! A web application that tells Intercom of each project that is made or ended through it. It is given its tracker, and
//! so knows nothing of how events travel: `tests/intercom.rs` gives it one that ends at a local Intercom.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use acme_events::ProjectEvent;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use intercom_core::Tracker;
use serde::{Deserialize, Serialize};

/// The application, which sends its events by this tracker.
pub fn router(tracker: Tracker) -> Router {
    Router::new()
        .route("/projects", post(create))
        .route("/projects/{id}", delete(end))
        .with_state(App { tracker, projects: Arc::default() })
}

#[derive(Clone)]
struct App {
    tracker: Tracker,
    projects: Arc<AtomicU64>,
}

impl App {
    /// What a customer does succeeds, whether Intercom can be told of it or not.
    async fn tell(&self, event: ProjectEvent<'_>) {
        if let Err(error) = self.tracker.send(&event).await {
            tracing::error!(%error, "an event is lost");
        }
    }
}

#[derive(Deserialize)]
struct NewProject {
    owner: u64,
    name: String,
}

#[derive(Serialize)]
struct Project {
    id: u64,
}

async fn create(
    State(app): State<App>,
    Json(new): Json<NewProject>,
) -> (StatusCode, Json<Project>) {
    let id = app.projects.fetch_add(1, Ordering::Relaxed) + 1;
    app.tell(ProjectEvent::Created { owner: new.owner, project_id: id, name: &new.name }).await;
    (StatusCode::CREATED, Json(Project { id }))
}

#[derive(Deserialize)]
struct Leaving {
    by: u64,
    reason: Option<String>,
}

async fn end(
    State(app): State<App>,
    Path(id): Path<u64>,
    Json(leaving): Json<Leaving>,
) -> StatusCode {
    let reason = leaving.reason.as_deref();
    app.tell(ProjectEvent::Deleted { by: leaving.by, project_id: id, reason }).await;
    StatusCode::NO_CONTENT
}
