//! Health and metrics, for operators.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;

use crate::App;

/// Whether the process is alive. An outage of Intercom is no reason for a restart.
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// Whether the service takes requests. It does while Intercom is down, because events wait on the disk. The text is the
/// state of the delivery.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, String) {
    let status = match app.is_ending.load(Ordering::Relaxed) {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    (status, format!("{}\n", app.delivery.status()))
}

/// The metrics in the format of Prometheus.
pub(crate) async fn metrics(State(app): State<App>) -> String {
    app.metrics.run_upkeep();
    app.metrics.render()
}
