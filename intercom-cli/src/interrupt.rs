//! Ctrl-C and SIGTERM: the first asks the command to end, the second ends the process.

use std::future::Future;
use std::io;

use tokio::sync::watch;

use crate::exit::Exit;
use crate::failure::Failure;

/// The signal that a command should end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Starts to listen for signals, within a Tokio runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        let (set, is_set) = watch::channel(false);
        let mut signals = Signals::listen()?;
        tokio::spawn(async move {
            signals.next().await;
            set.send_replace(true);
            signals.next().await;
            std::process::exit(Exit::Interrupted.number().into());
        });
        Ok(Interrupt(is_set))
    }

    /// Waits for the signal.
    pub(crate) async fn wait(&self) {
        let mut is_set = self.0.clone();
        // The sender lives as long as the runtime.
        if is_set.wait_for(|is_set| *is_set).await.is_err() {
            std::future::pending().await
        }
    }

    /// Runs `work`, and drops it at the signal.
    ///
    /// # Errors
    ///
    /// Fails as `work` does, and when it is interrupted.
    pub(crate) async fn or<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.wait() => Err(Failure::interrupted("interrupted")),
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
