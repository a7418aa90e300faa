//! Delivers from an outbox while the program runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use intercom_core::{DataEvent, SendError, Transport};
use intercom_delivery::{Delivery, State};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, with_sources};
use crate::outbox_location::AnyOutbox;
use crate::output::count;

/// The limit of the wait for requests in flight at the end.
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// A delivery over an outbox.
pub(crate) struct Flushing {
    delivery: Delivery,
    /// The number of events that became dead letters in this process.
    buried: Arc<AtomicU64>,
}

impl Flushing {
    /// Starts the delivery. If another process delivers from the outbox already, it goes on.
    ///
    /// # Errors
    ///
    /// Fails when the delivery does not start.
    pub(crate) fn start(
        transport: impl Transport + 'static,
        outbox: Arc<dyn AnyOutbox>,
    ) -> Result<Self, Failure> {
        let buried = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&buried);
        let delivery = Delivery::builder(transport)
            .outbox(outbox)
            .on_dead_letter(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
            .start();
        let delivery = delivery
            .map_err(|error| Failure::new(Exit::Failed, "delivery", with_sources(&error)))?;
        Ok(Flushing { delivery, buried })
    }

    /// Accepts events, all or none.
    ///
    /// # Errors
    ///
    /// Fails when none was accepted.
    pub(crate) async fn accept(&self, events: &[DataEvent]) -> Result<(), SendError> {
        self.delivery.send_all(events).await.map(drop)
    }

    /// Waits until the accepted events have left, and ends the delivery.
    ///
    /// # Errors
    ///
    /// Fails when events are still pending at the deadline, or when interrupted.
    pub(crate) async fn flush(
        self,
        context: &Context,
        deadline: Duration,
    ) -> Result<Exit, Failure> {
        let flushed = tokio::select! {
            report = self.delivery.flush(deadline) => Some(report.is_complete()),
            () = context.interrupt.wait() => None,
        };
        let state = self.delivery.status().state;
        let report = self.delivery.shutdown(SHUTDOWN_TIMEOUT).await;
        let stay = format!("{} in the outbox", count(report.pending, "pending event"));
        match (flushed, state) {
            (Some(true), _) => {}
            (None, _) => return Err(Failure::interrupted(format!("interrupted; {stay}"))),
            (_, State::Stopped(trouble)) => {
                let message = format!("{}; {stay}", trouble.message);
                return Err(Failure::new(Exit::Operator, "pending", message));
            }
            (_, State::Outage(trouble)) => {
                let message = format!("{}; {stay}", trouble.message);
                return Err(Failure::new(Exit::Later, "pending", message));
            }
            (_, State::Standby { deliverer, .. }) => {
                let message = format!("{stay}, which {deliverer} delivers");
                return Err(Failure::new(Exit::Later, "pending", message));
            }
            _ => {
                let message = format!("{stay}; a longer --timeout delivers more of them");
                return Err(Failure::new(Exit::Later, "pending", message));
            }
        }
        let buried = self.buried.load(Ordering::Relaxed);
        context.output.remark("delivered");
        if buried > 0 {
            let message = format!(
                "{} in this run; `intercom outbox dead` shows why",
                count(buried, "dead letter")
            );
            return Err(Failure::new(Exit::Failed, "dead_letters", message));
        }
        Ok(Exit::Done)
    }
}
