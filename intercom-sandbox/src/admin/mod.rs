//! The sandbox's own routes: the page at `/`, and the admin API below `/_sandbox/`. The page, and a
//! test in any language, use the admin API to see requests and to inject faults.
//!
//! The journal neither records nor counts requests to these routes. All of them pass the `guard`.

mod catalogue;
mod contacts;
mod description;
mod error;
mod faults;
mod feed;
mod guard;
mod input;
mod record;
mod requests;
mod seed;
mod state;
mod verify;

use std::sync::Arc;

use axum::{Router, middleware};

use crate::page;
use crate::workspace::Workspace;
use error::AdminError;

/// Returns the routes of the page and of the admin API. All other paths are Intercom's API.
pub(crate) fn router(workspace: Arc<Workspace>) -> Router {
    let admin = Router::new()
        .merge(state::routes())
        .merge(faults::routes())
        .merge(contacts::routes())
        .merge(requests::routes())
        .merge(feed::routes())
        .merge(verify::routes())
        .merge(catalogue::routes())
        .merge(page::assets())
        .method_not_allowed_fallback(AdminError::method_not_allowed)
        .fallback(AdminError::path_not_found);
    page::routes()
        .merge(description::routes())
        .nest("/_sandbox", admin)
        .layer(middleware::from_fn_with_state(Arc::clone(&workspace), guard::guard))
        .with_state(workspace)
}
