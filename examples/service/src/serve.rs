//! Serves until a signal asks the process to end, and ends it in order.

use std::future::Future;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use intercom_delivery::DrainReport;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::App;

/// How long requests of customers may still take.
const REQUESTS: Duration = Duration::from_secs(10);

/// How long requests to Intercom may still take. Both together stay below the 30 seconds after which Kubernetes kills.
const DELIVERY: Duration = Duration::from_secs(15);

/// Serves until `end`, then ends in this order:
///
/// 1. The readiness check fails, so that new requests go elsewhere.
/// 2. The server accepts no more connections, and finishes the requests in progress.
/// 3. The delivery ends last, because those requests send events. It waits for the requests to Intercom that are in
///    flight. Whatever is pending stays on the disk for the next start.
///
/// # Errors
///
/// Fails when serving does.
pub async fn serve(
    listener: TcpListener,
    app: App,
    end: impl Future<Output = ()> + Send + 'static,
) -> io::Result<DrainReport> {
    let (ending, began_to_end) = oneshot::channel();
    let denied = app.clone();
    let graceful = async move {
        end.await;
        denied.is_ending.store(true, Ordering::Relaxed);
        let _ = ending.send(());
    };
    let serving = axum::serve(listener, app.router()).with_graceful_shutdown(graceful);
    let serving = tokio::spawn(serving.into_future());
    // Waits for the signal, or for a failed server.
    let _ = began_to_end.await;
    match timeout(REQUESTS, serving).await {
        Ok(served) => served.map_err(io::Error::other)??,
        Err(_) => tracing::warn!("some customers' requests did not end in time"),
    }
    Ok(app.delivery.shutdown(DELIVERY).await)
}

/// Waits for a signal to end: SIGTERM, as from systemd, Docker and Kubernetes, or Ctrl-C.
///
/// # Errors
///
/// Fails when the process cannot listen for signals.
pub fn asked_to_end() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    #[cfg(unix)]
    let mut terminated = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate())?
    };
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}
