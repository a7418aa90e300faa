//! What those who run the service ask it.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;

use crate::App;

/// Whether the process is to be left alone. An outage of Intercom is no reason to start it anew.
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// Whether requests are to come here. They are while Intercom is down: events wait on the disk. The text says how
/// delivery is doing.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, String) {
    let status = match app.is_ending.load(Ordering::Relaxed) {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    (status, format!("{}\n", app.delivery.status()))
}

/// Everything that is counted, as Prometheus reads it.
pub(crate) async fn metrics(State(app): State<App>) -> String {
    app.metrics.run_upkeep();
    app.metrics.render()
}
