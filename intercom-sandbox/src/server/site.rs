//! What is served: the sandbox's own page and admin API, and Intercom's API for all the rest.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Request};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use super::outgoing::{Outgoing, Response};
use crate::workspace::Workspace;
use crate::{admin, api};

pub(crate) struct Site {
    pub(super) workspace: Arc<Workspace>,
    own: Router,
}

impl Site {
    pub(crate) fn new(workspace: Arc<Workspace>) -> Self {
        let own = admin::router(Arc::clone(&workspace));
        Self { workspace, own }
    }

    /// Answers a request. Most are for Intercom's API, which needs no router.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response {
        if !is_own(&request) {
            return api::answer(&self.workspace, request).await;
        }
        match TowerToHyperService::new(self.own.clone()).call(request).await {
            Ok(response) => response.map(Outgoing::of_body),
            Err(never) => match never {},
        }
    }
}

fn is_own(request: &Request<Incoming>) -> bool {
    let path = request.uri().path();
    match path.strip_prefix("/_sandbox") {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        // Whoever sends something there has lost the path of the API.
        None => path == "/" && matches!(*request.method(), Method::GET | Method::HEAD),
    }
}
