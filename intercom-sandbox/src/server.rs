//! The HTTP server. It has an accept loop of its own, since axum's can neither hang up on a client
//! nor be ended together with its connections.

use std::fmt;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Serves until its task is aborted, which closes the listener and every connection.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, router.clone()));
                }
                // Most often the process is out of file descriptors: the end of a connection gives
                // one back. Without any connection to wait for, others get their turn.
                Err(_) => {
                    if connections.join_next().await.is_none() {
                        tokio::task::yield_now().await;
                    }
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router) {
    // Answers are small, and must not wait for the client's acknowledgement of the one before. A
    // connection that refuses the option works all the same.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        let answer = router.call(request);
        async move {
            match answer.await {
                Ok(response) if response.extensions().get::<HangUp>().is_some() => Err(HangUp),
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    // A connection that ends in an error is the client's loss, or what the script asked for.
    let _ =
        Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// In the place of an answer: closes the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HangUp;

impl HangUp {
    /// A response that never goes out, and tells [`serve_connection`] to hang up.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script says to hang up")
    }
}

impl std::error::Error for HangUp {}
