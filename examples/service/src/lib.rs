//! A web service of Acme's that tells Intercom what its customers do.
//!
//! | file | what is in it |
//! |---|---|
//! | `main.rs` | settings from the environment, what is started, and the order of things at the end |
//! | `projects.rs` | the handlers, which send events |
//! | `current_user.rs` | the middleware that says who is asking |
//! | `operations.rs` | health and metrics |
//! | `serve.rs` | serving until the process is asked to end, and ending |
//! | `../acme-events` | the events, in a crate that depends on nothing that sends |
//! | `tests/service` | the tests, against a local Intercom |

mod current_user;
mod operations;
mod projects;
mod serve;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{delete, get, post};
use intercom_core::Tracker;
use intercom_delivery::Delivery;
use metrics_exporter_prometheus::PrometheusHandle;

pub use serve::{asked_to_end, serve};

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    delivery: Arc<Delivery>,
    tracker: Tracker,
    metrics: PrometheusHandle,
    projects: Arc<AtomicU64>,
    is_ending: Arc<AtomicBool>,
}

impl App {
    /// Creates the application. Its events go out by this delivery.
    pub fn new(delivery: Delivery, metrics: PrometheusHandle) -> Self {
        App {
            tracker: delivery.tracker(),
            delivery: Arc::new(delivery),
            metrics,
            projects: Arc::default(),
            is_ending: Arc::default(),
        }
    }

    fn router(&self) -> Router {
        let projects = Router::new()
            .route("/projects", post(projects::create))
            .route("/projects/{id}", delete(projects::delete))
            .layer(from_fn(current_user::require));
        Router::new()
            .merge(projects)
            .route("/health/live", get(operations::live))
            .route("/health/ready", get(operations::ready))
            .route("/metrics", get(operations::metrics))
            .with_state(self.clone())
    }
}
