//! The HTTP server. It has an accept loop of its own, since axum's can neither break a connection on
//! purpose nor be ended together with its connections; and it keeps up with clients that are slow,
//! many or no clients at all.
//!
//! `connection` serves one of them, over a `wire` that can break and that answers what is no HTTP;
//! `line` is what both know of it. `site` tells the page and the admin API from Intercom's API.

mod bare;
mod connection;
mod cut;
mod line;
mod outgoing;
mod refuse;
mod site;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) use cut::Cut;
pub(crate) use outgoing::{Outgoing, Response};
pub(crate) use site::Site;

/// How long to wait before the next try to accept a connection where the system has none to give,
/// most often for want of file descriptors. The end of a connection ends the wait as well.
const BREATH: Duration = Duration::from_millis(50);

/// What the clients of a sandbox may claim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many connections are open at a time.
    pub(crate) connections: usize,
    /// How long a connection may do nothing, take to bring the head of a request, or leave an answer
    /// unread.
    pub(crate) idle: Duration,
}

/// Serves until the sandbox closes and every connection has ended; or until its task is aborted,
/// which closes the listener and every connection at once.
pub(crate) async fn serve(listener: TcpListener, site: Arc<Site>, limits: Limits) {
    let mut connections = JoinSet::new();
    let mut refusals = JoinSet::new();
    let closing = &site.workspace.closing;
    let mut closing = std::pin::pin!(closing.begun());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Those that have ended make room before it is looked for.
                    while connections.try_join_next().is_some() {}
                    if connections.len() < limits.connections {
                        connections.spawn(connection::serve(stream, Arc::clone(&site), limits));
                    } else if refusals.len() < refuse::AT_A_TIME {
                        refusals.spawn(refuse::refuse(stream, Arc::clone(&site)));
                    }
                    // Beyond that, too many come at once to tell each of them why.
                }
                Err(_) => tokio::select! {
                    Some(_) = connections.join_next() => {}
                    () = tokio::time::sleep(BREATH) => {}
                },
            },
            Some(_) = connections.join_next() => {}
            Some(_) = refusals.join_next() => {}
            () = &mut closing => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
