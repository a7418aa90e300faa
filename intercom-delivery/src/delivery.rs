//! What an application holds of a running delivery.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use intercom_core::{DataEvent, Receipt, SendError, Tracker, Transport};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::builder::DeliveryBuilder;
use crate::engine::FAREWELL;
use crate::ledger::{Ledger, Report};
use crate::outbox::{DeadLetter, EventId, OutboxError, Selection};
use crate::shared::{Command, Entrance, Shared};
use crate::status::Status;
use crate::telemetry;
use crate::time::later;

/// How much longer than its deadline a shutdown may take, if the outbox does not answer.
const GRACE: Duration = Duration::from_secs(3 * FAREWELL.as_secs() + 1);

/// A running delivery: it accepts events at once, and gets them to Intercom in the background.
///
/// ```
/// use std::time::Duration;
/// use intercom_core::testing::RecordingTransport;
/// use intercom_core::{Contact, DynamicEvent};
/// use intercom_delivery::Delivery;
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let transport = RecordingTransport::new(); // `HttpTransport` in earnest
///     let delivery = Delivery::builder(transport.clone()).start()?;
///
///     let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
///     ada.send(&DynamicEvent::new("project_created")?).await?;
///
///     let report = delivery.shutdown(Duration::from_secs(30)).await;
///     assert_eq!((report.delivered, report.pending), (1, 0));
///     assert_eq!(transport.events().len(), 1);
///     Ok(())
/// }
/// ```
///
/// End it with [`shutdown`](Self::shutdown). Dropping it ends it at once: events that are pending stay in a durable
/// outbox, and are lost with one in memory; how many is logged.
#[must_use = "dropping it ends the delivery"]
pub struct Delivery {
    shared: Arc<Shared>,
    engine: JoinHandle<()>,
    runtime: Handle,
    /// Whether somebody was told how delivery ended.
    told: AtomicBool,
}

impl Delivery {
    /// Sets up a delivery whose events leave through this transport.
    pub fn builder(transport: impl Transport + 'static) -> DeliveryBuilder {
        DeliveryBuilder::new(Arc::new(transport))
    }

    pub(crate) fn new(shared: Arc<Shared>, engine: JoinHandle<()>, runtime: Handle) -> Self {
        Delivery { shared, engine, runtime, told: AtomicBool::new(false) }
    }

    /// What the application sends its events with. Its `send` is done when the event is accepted, with a receipt
    /// that [says so](intercom_core::Receipt::is_accepted).
    ///
    /// Any number may be made, and used from any thread and runtime. Their `create_contact` goes to the transport itself, at
    /// once, past everything that holds events back.
    ///
    /// # In code that is not `async`
    ///
    /// `try_send` waits for nothing, neither for room nor for a disk, and so works with an outbox that
    /// [accepts without waiting](crate::Outbox::try_accept), as [`MemoryOutbox`](crate::MemoryOutbox) does. `send` works
    /// with any, and needs no runtime: whatever blocks on a future will do.
    ///
    /// ```
    /// # use intercom_core::testing::RecordingTransport;
    /// # use intercom_core::{Contact, DynamicEvent};
    /// # use intercom_delivery::Delivery;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let _within = runtime.enter();
    /// # let delivery = Delivery::builder(RecordingTransport::new()).start()?;
    /// # drop(_within);
    /// let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
    /// let event = DynamicEvent::new("project_created")?;
    /// let handle = runtime.handle(); // of the runtime that the delivery was started in, or any other
    /// handle.block_on(ada.send(&event))?; // accepted
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A callback within a runtime must not block. There `tokio::spawn(ada.send(&event))` does it, and the event is
    /// accepted when that task is done.
    pub fn tracker(&self) -> Tracker {
        Tracker::new(Entrance(self.shared.clone()))
    }

    /// Accepts many encoded events, all of them or none: for imports. Made with
    /// [`Tracker::prepare`](intercom_core::Tracker::prepare).
    ///
    /// # Errors
    ///
    /// Fails when none was accepted: for want of room where that is the [policy](crate::Backpressure), or because the
    /// outbox could not keep them safe, or could never hold so many.
    pub async fn send_all(&self, events: &[DataEvent]) -> Result<Receipt, SendError> {
        self.shared.intake.accept_all(events).await
    }

    /// Where every event is, at this moment.
    pub fn ledger(&self) -> Ledger {
        self.shared.ledger()
    }

    /// How delivery is doing, at this moment.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Tries again at once, where delivery waits for Intercom to be reached again, or for an operator: to be called by
    /// who has mended something. A new access token given to the transport does this by itself.
    pub fn resume(&self) {
        // Where the engine has ended there is nothing to resume.
        let _ = self.shared.commands.send(Command::Resume);
    }

    /// Waits until every event that has been accepted by now is delivered or a dead letter. Events that come later
    /// are not waited for.
    ///
    /// In an outage that takes as long as the outage. Once delivery has ended it returns, whatever is pending.
    pub async fn flush(&self) -> Report {
        let Some(newest) = self.shared.outbox.counts().newest else { return self.shared.report() };
        self.ask(|reply| Command::Flush { newest, reply }).await
    }

    /// Accepts nothing more, delivers what was accepted, and ends: when everything is delivered or a dead letter, or
    /// when nothing more can be before the deadline, and at the deadline in any case. Requests that are under way then
    /// are given up; their events stay pending.
    ///
    /// Trackers of this delivery give [`Closed`](intercom_core::ErrorKind::Closed) from now on. A second call joins
    /// the first.
    pub async fn shutdown(&self, deadline: Duration) -> Report {
        self.shared.intake.close();
        let deadline = later(Instant::now(), deadline);
        let (reply, report) = oneshot::channel();
        let _ = self.shared.commands.send(Command::Shutdown { deadline, reply });
        // On the engine's own runtime, so that this may be called from any other.
        let ended = self.runtime.spawn(timeout_at(later(deadline, GRACE), report));
        let report = match ended.await {
            Ok(Ok(Ok(report))) => report,
            // The engine is stuck in an outbox that does not answer, or has ended before.
            _ => {
                self.engine.abort();
                self.shared.report()
            }
        };
        self.told.store(true, Ordering::Relaxed);
        report
    }

    /// Reads dead letters, in the order of their ids, beginning after this one.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be read.
    pub async fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.shared.outbox.dead_letters(after, most).await
    }

    /// Sends dead letters again, as they were, and says how many: when the reason why they ended there was mended. It
    /// also does what [`resume`](Self::resume) does.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written.
    pub async fn redrive(&self, which: Selection) -> Result<u64, OutboxError> {
        let redriven = self.shared.outbox.redrive(&which).await?;
        // Names that Intercom took no events of, say, it may take now.
        self.resume();
        Ok(redriven)
    }

    /// Forgets dead letters for good, and says how many.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written.
    pub async fn purge(&self, which: Selection) -> Result<u64, OutboxError> {
        self.shared.outbox.purge(&which).await
    }

    /// Asks the engine for a report. Where it has ended, there is one already.
    async fn ask(&self, command: impl FnOnce(oneshot::Sender<Report>) -> Command) -> Report {
        let (reply, report) = oneshot::channel();
        // An engine that has ended drops the command, and the reply with it.
        let _ = self.shared.commands.send(command(reply));
        match report.await {
            Ok(report) => report,
            Err(_) => self.shared.report(),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.shared.intake.close();
        let _ = self.shared.commands.send(Command::Stop);
        if !self.told.load(Ordering::Relaxed) {
            telemetry::dropped(self.shared.report().pending);
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("status", &self.status())
            .field("ledger", &self.ledger())
            .finish_non_exhaustive()
    }
}
