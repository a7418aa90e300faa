//! Word that the sandbox is about to end, for answers that would otherwise never do: streams of
//! events to the page, and the requests that a fault leaves without an answer.

use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct Closing(watch::Sender<bool>);

impl Closing {
    /// Tells everybody who waits, now and later.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Returns once the sandbox is about to end, at once where it is already.
    pub(crate) async fn begun(&self) {
        // The sender is `self`, so it lives as long as anyone waits.
        let _ = self.0.subscribe().wait_for(|&begun| begun).await;
    }
}
