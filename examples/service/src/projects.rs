//! What customers do, and that Intercom hears of it.

use std::sync::atomic::Ordering;

use acme_events::ProjectEvent;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::current_user::CurrentUser;

#[derive(Deserialize)]
pub(crate) struct NewProject {
    name: String,
}

#[derive(Serialize)]
pub(crate) struct Project {
    id: u64,
}

/// Creates a project.
pub(crate) async fn create(
    State(app): State<App>,
    Extension(CurrentUser(owner)): Extension<CurrentUser>,
    Json(new): Json<NewProject>,
) -> (StatusCode, Json<Project>) {
    let project_id = app.projects.fetch_add(1, Ordering::Relaxed) + 1;
    app.tell(ProjectEvent::Created { owner, project_id, name: &new.name }).await;
    (StatusCode::CREATED, Json(Project { id: project_id }))
}

#[derive(Deserialize)]
pub(crate) struct Leaving {
    reason: Option<String>,
}

/// Deletes a project.
pub(crate) async fn delete(
    State(app): State<App>,
    Extension(CurrentUser(by)): Extension<CurrentUser>,
    Path(project_id): Path<u64>,
    Json(leaving): Json<Leaving>,
) -> StatusCode {
    let reason = leaving.reason.as_deref();
    app.tell(ProjectEvent::Deleted { by, project_id, reason }).await;
    StatusCode::NO_CONTENT
}

impl App {
    /// Waits until the event is on the disk, never for Intercom. What a customer does succeeds all the same where the
    /// event is refused: the error is for whoever runs the service.
    async fn tell(&self, event: ProjectEvent<'_>) {
        if let Err(error) = self.tracker.send(&event).await {
            tracing::error!(?error, "an event is lost");
        }
    }
}
