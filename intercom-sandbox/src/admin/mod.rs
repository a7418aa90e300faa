//! What is the sandbox's own and not Intercom's: the page at `/`, and below `/_sandbox/` the admin
//! API, by which the page, and a test in any language, see what arrived and ask for faults.
//!
//! Nothing here is recorded or counted, and all of it is behind the `guard`.

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

/// The routes of the page and of the admin API. What they do not know is the API's.
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
