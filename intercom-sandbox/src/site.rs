//! The routing between the sandbox's own page and admin API, and Intercom's API.

use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use axum::http::{Method, Request};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use crate::server::{Handler, Outgoing, Response};
use crate::workspace::Workspace;
use crate::{admin, api};

pub(crate) struct Site {
    workspace: Arc<Workspace>,
    own: Router,
}

impl Site {
    pub(crate) fn new(workspace: Arc<Workspace>) -> Self {
        let own = admin::router(Arc::clone(&workspace));
        Self { workspace, own }
    }

    /// Answers a request for the sandbox itself.
    async fn answer_own(&self, request: Request<Incoming>) -> Response {
        match TowerToHyperService::new(self.own.clone()).call(request).await {
            Ok(response) => response.map(Outgoing::of_body),
            Err(never) => match never {},
        }
    }
}

impl Handler for Site {
    async fn answer(self: Arc<Self>, parts: Parts, body: Incoming) -> Response {
        if is_own(&parts) {
            Box::pin(self.answer_own(Request::from_parts(parts, body))).await
        } else {
            api::answer(&self.workspace, &parts, body).await
        }
    }
}

/// Returns whether a request is for the sandbox itself. Most are for Intercom's API, which needs no
/// router.
fn is_own(request: &Parts) -> bool {
    let path = request.uri.path();
    match path.strip_prefix("/_sandbox") {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        // Any other method on `/` comes from a client that lost the API's path.
        None => path == "/" && matches!(request.method, Method::GET | Method::HEAD),
    }
}
