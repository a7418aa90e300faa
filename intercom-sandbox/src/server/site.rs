//! What is served: the sandbox's own page and admin API, and Intercom's API for all the rest.

use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use axum::http::{Method, Request};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use super::outgoing::{Outgoing, Response};
use crate::admin;
use crate::workspace::Workspace;

pub(crate) struct Site {
    pub(super) workspace: Arc<Workspace>,
    own: Router,
}

impl Site {
    pub(crate) fn new(workspace: Arc<Workspace>) -> Self {
        let own = admin::router(Arc::clone(&workspace));
        Self { workspace, own }
    }

    /// Answers what is for the sandbox itself.
    pub(super) async fn answer_own(&self, request: Request<Incoming>) -> Response {
        match TowerToHyperService::new(self.own.clone()).call(request).await {
            Ok(response) => response.map(Outgoing::of_body),
            Err(never) => match never {},
        }
    }
}

/// Whether a request is for the sandbox itself. Most are for Intercom's API, which needs no router.
pub(super) fn is_own(request: &Parts) -> bool {
    let path = request.uri.path();
    match path.strip_prefix("/_sandbox") {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        // Whoever sends something there has lost the path of the API.
        None => path == "/" && matches!(request.method, Method::GET | Method::HEAD),
    }
}
