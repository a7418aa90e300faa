//! Programs to read and to run: each file beside this one opens with the line that runs it.

use std::io;

/// Waits for a signal to end: SIGTERM, as from systemd, Docker and Kubernetes, or Ctrl-C.
///
/// # Errors
///
/// Fails when the process cannot listen for signals.
pub async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminated.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
