//! The application's handle of a running delivery.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use intercom_core::{Contact, ContactTracker, DataEvent, Receipt, SendError, Tracker, Transport};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::Instrument;

use crate::builder::DeliveryBuilder;
use crate::engine::{Command, DRAIN_TIMEOUT, Parts};
use crate::intake::{Intake, IntakeTransport};
use crate::ledger::{DrainReport, Ledger};
use crate::outbox::{
    Counts, DeadLetter, DeadLetterReason, ErasedEvents, EventId, Operate, OutboxError, Selection,
};
use crate::policy::Erased;
use crate::status::Status;
use crate::telemetry;
use crate::time::later;

/// How long a shutdown may exceed its deadline if the outbox does not answer.
const GRACE: Duration = Duration::from_secs(4 * DRAIN_TIMEOUT.as_secs() + 1);

/// The interval at which a flush asks the outbox for deliveries by another process.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// A flush waits this many times the duration of its last count, so that a slow outbox has time for
/// other calls.
const FLUSH_REST: u32 = 4;

/// A running delivery: it accepts events at once, and sends them to Intercom in the background.
///
/// ```
/// use std::time::Duration;
/// use intercom_core::testing::RecordingTransport;
/// use intercom_core::{Contact, DynamicEvent};
/// use intercom_delivery::Delivery;
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let transport = RecordingTransport::new(); // an `HttpTransport` in production
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
/// End it with [`shutdown`](Self::shutdown). Dropping it ends it at once, and logs the number of
/// pending events. A durable outbox keeps them, and an outbox in memory loses them.
#[must_use = "dropping it ends the delivery"]
pub struct Delivery {
    parts: Parts,
    operate: Arc<dyn Operate>,
    commands: mpsc::UnboundedSender<Command>,
    engine: JoinHandle<()>,
    runtime: Handle,
    /// Whether a shutdown has reported the end of the delivery.
    reported: AtomicBool,
}

impl Delivery {
    /// Configures a delivery that sends through this transport.
    pub fn builder(transport: impl Transport + 'static) -> DeliveryBuilder {
        DeliveryBuilder::new(Arc::new(transport))
    }

    pub(crate) fn new(
        parts: Parts,
        operate: Arc<dyn Operate>,
        commands: mpsc::UnboundedSender<Command>,
        engine: JoinHandle<()>,
        runtime: Handle,
    ) -> Self {
        let reported = AtomicBool::new(false);
        Delivery { parts, operate, commands, engine, runtime, reported }
    }

    pub(crate) fn intake(&self) -> Arc<Intake> {
        self.parts.intake.clone()
    }

    /// Returns a tracker that sends through this delivery. Its `send` returns once the outbox has
    /// accepted the event, with a receipt that [says so](intercom_core::Receipt::is_accepted).
    ///
    /// Use any number of trackers, on any thread and runtime. The tracker's method `create_contact`
    /// calls the transport at once. It does not wait for the rate limit, or for the end of an
    /// outage.
    ///
    /// # In code that is not `async`
    ///
    /// `send` needs no runtime: block on it by any means. With an outbox in memory, a
    /// [`MemoryTracker`](crate::MemoryTracker) accepts events without waiting.
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
    /// let handle = runtime.handle(); // of the runtime in which the delivery was started, or any other
    /// handle.block_on(ada.send(&event))?; // accepted
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A callback within a runtime must not block. There, `tokio::spawn(ada.send(&event))` sends.
    pub fn tracker(&self) -> Tracker {
        let Parts { intake, transport, .. } = &self.parts;
        Tracker::new(IntakeTransport { intake: intake.clone(), transport: transport.clone() })
    }

    /// Returns a tracker for events of this contact: short for `tracker().for_contact(contact)`.
    pub fn for_contact(&self, contact: Contact) -> ContactTracker {
        self.tracker().for_contact(contact)
    }

    /// Accepts many encoded events, all of them or none: for imports. Make them with
    /// [`Tracker::prepare`](intercom_core::Tracker::prepare).
    ///
    /// # Errors
    ///
    /// Fails when the outbox is full and the [policy](crate::Backpressure) is to refuse. Fails when
    /// the outbox can never hold this many events, when its store fails, and after a
    /// [shutdown](Self::shutdown). Then the outbox has none of the events, unless the error [is in
    /// doubt](SendError::is_in_doubt).
    pub async fn send_all(&self, events: &[DataEvent]) -> Result<Receipt, SendError> {
        self.parts.intake.accept(events).await
    }

    /// Returns the numbers of events by state, at this moment.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be read.
    pub async fn ledger(&self) -> Result<Ledger, OutboxError> {
        let intake = &self.parts.intake;
        let counts = self.parts.outbox.counts().await?;
        Ok(intake.tally.ledger(counts, intake.waiting() as u64))
    }

    /// Returns the state of delivery, at this moment.
    pub fn status(&self) -> Status {
        let mut status = self.parts.health.status();
        status.outbox = status.outbox.or_else(|| self.parts.intake.trouble());
        status
    }

    /// Sends a probe at once, if delivery waits for the end of an outage or for an operator. Call
    /// it after a fix, such as a new access token.
    pub fn resume(&self) {
        // An ended engine has nothing to resume.
        let _ = self.commands.send(Command::Resume);
    }

    /// Waits until none of the events that this process has accepted so far is pending, whichever
    /// process delivers them. Returns after `deadline`, if not before, and at once if the delivery
    /// has ended. It waits for the outbox's first answer even beyond the deadline.
    ///
    /// It does not wait for events that are accepted later, or in an earlier run of the program.
    /// [`ledger`](Self::ledger) says whether any of them is pending.
    pub async fn flush(&self, deadline: Duration) -> DrainReport {
        let deadline = later(Instant::now(), deadline);
        let parts = self.parts.clone();
        let began = parts.outbox.counts().await.ok();
        // On the delivery's own runtime, because the caller may be on another one.
        let flushed = self.runtime.spawn(flush(parts, began, deadline));
        match flushed.await {
            Ok(report) => report,
            // The runtime has ended.
            Err(_) => DrainReport::of(known(&self.parts), false),
        }
    }

    /// Ends the delivery. Its trackers fail with [`Closed`](intercom_core::ErrorKind::Closed) from
    /// now on. Of several calls, the earliest deadline counts.
    ///
    /// With a durable outbox, it waits for the requests in flight only. Another process, or the
    /// next start, delivers the rest. If the disk is deleted with the process, as in a container,
    /// call [`flush`](Self::flush) first.
    ///
    /// With an outbox in memory, it delivers all events. It returns early if it can send no further
    /// event before the deadline.
    ///
    /// After `deadline`, it drops the requests in flight, and their events stay pending. Then it
    /// waits up to 5 seconds for an outbox that does not answer.
    pub async fn shutdown(&self, deadline: Duration) -> DrainReport {
        self.parts.intake.close();
        let deadline = later(Instant::now(), deadline);
        let (reply, report) = oneshot::channel();
        let _ = self.commands.send(Command::Shutdown { deadline, reply });
        let ended = self.runtime.spawn(timeout_at(later(deadline, GRACE), report));
        let report = match ended.await {
            Ok(Ok(Ok(report))) => report,
            // The engine waits for an outbox that does not answer, or it has ended before.
            _ => {
                self.engine.abort();
                let counts = known(&self.parts);
                DrainReport::of(counts, counts.pending == 0)
            }
        };
        self.reported.store(true, Ordering::Relaxed);
        report
    }

    /// Reads up to `limit` dead letters with an id above `after`, in the order of their ids. `None`
    /// begins with the first.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be read.
    pub async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.operate.dead_letters(after, limit).await
    }

    /// Makes dead letters pending again, and returns their number. Call it when you have fixed the
    /// reason. It also calls [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written. Then it redrove nothing, unless the connection to a
    /// remote store broke: then it may have.
    pub async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let redriven = self.operate.redrive(which).await?;
        // Intercom may now accept names that it refused before.
        self.resume();
        Ok(redriven)
    }

    /// Erases a contact: deletes its pending events and dead letters from the outbox, and keeps
    /// tombstones. Until the contact is [forgiven](Self::forgive), the engine withholds its later
    /// events, whichever process accepts them, and does not create the contact.
    ///
    /// The outbox finds events by their identifiers. Give each identifier that your events use:
    /// `Contact::user_id("42").with_email("ada@example.com")`. This erases nothing at Intercom:
    /// delete the contact there afterwards.
    ///
    /// The call waits for the requests in flight, up to the attempt timeout, and returns those of
    /// the contact. Another process that delivers learns of the erasure within the outbox's poll
    /// interval. From then on it begins no request for the contact. It does not report its requests
    /// in flight.
    ///
    /// Logs and metrics never hold an identifier. Dropping the future does not stop the erasure.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written. Then it erased nothing, unless the connection to a
    /// remote store broke: then it may have. Also fails when the runtime of the delivery has ended.
    pub async fn erase(&self, contact: &Contact) -> Result<Erased, OutboxError> {
        let (operate, commands) = (self.operate.clone(), self.commands.clone());
        let contact = contact.clone();
        let erasing = async move {
            let (begun, has_begun) = oneshot::channel();
            let (reply, in_flight) = oneshot::channel();
            // An ended engine sends nothing.
            let _ = commands.send(Command::Erase { contact: contact.clone(), begun, reply });
            let _ = has_begun.await;
            let erased = operate.erase(&contact).await;
            let version = erased.as_ref().ok().map(|erased| erased.version);
            let _ = commands.send(Command::Erased { contact, version });
            let ErasedEvents { pending, dead_letters, .. } = erased?;
            let in_flight = in_flight.await.unwrap_or_default();
            telemetry::erased(pending, dead_letters, in_flight.len());
            Ok(Erased { pending, dead_letters, in_flight })
        }
        .instrument(self.parts.intake.span.clone());
        let erasing = self.runtime.spawn(erasing);
        let ended = || OutboxError::new("the runtime of the delivery has ended");
        erasing.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Ends the erasure of a contact, so that the engine sends its later events. Returns whether
    /// any of these identifiers was erased.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written. Then it forgave nothing, unless the connection to a
    /// remote store broke: then it may have.
    pub async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        let forgiven = self.operate.forgive(contact).await?;
        // An ended engine holds no erasures.
        let _ = self.commands.send(Command::Forgiven { contact: contact.clone() });
        Ok(forgiven)
    }

    /// Returns the number of events that each rule has dropped, by the name of the rule. Counts
    /// from the start of this delivery.
    pub fn dropped_by_rule(&self) -> BTreeMap<Arc<str>, u64> {
        self.parts.intake.tally.drops()
    }

    /// Deletes dead letters for good, and returns their number.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written. Then it purged nothing, unless the connection to a
    /// remote store broke: then it may have.
    pub async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.operate.purge(which).await
    }

    /// Makes pending events dead letters, and returns their number: for events that always fail, or
    /// that are no longer wanted. [`redrive`](Self::redrive) undoes it. A request in flight for
    /// one of them may still arrive.
    ///
    /// It does not call the [hook for dead letters](DeliveryBuilder::on_dead_letter).
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written. Then it buried nothing, unless the connection to a
    /// remote store broke: then it may have.
    pub async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        let buried = self.operate.bury(which).await?;
        let Parts { intake, settled, .. } = &self.parts;
        intake.tally.deaths(DeadLetterReason::Buried, buried);
        intake.metrics.dead(DeadLetterReason::Buried, buried);
        intake.span.in_scope(|| telemetry::buried(buried));
        intake.made_room();
        settled.notify_waiters();
        Ok(buried)
    }
}

/// Waits until every event that this process had accepted by the count `began`, and every event
/// derived from those, has left the outbox. `began` is `None` until the first count.
async fn flush(parts: Parts, mut began: Option<Counts>, deadline: Instant) -> DrainReport {
    let Parts { outbox, settled, health, .. } = &parts;
    let mut last = known(&parts);
    let mut is_extended = false;
    loop {
        let notified = settled.notified();
        tokio::pin!(notified);
        // Before the count, so that it misses no settlement in between.
        notified.as_mut().enable();
        let has_ended = health.has_ended();
        let asked = Instant::now();
        match timeout_at(deadline, outbox.counts()).await {
            Ok(Ok(counts)) => {
                last = counts;
                let from = began.get_or_insert(counts);
                if counts.oldest_own.is_none_or(|oldest| Some(oldest) > from.newest) {
                    // By now, the outbox has all events that rules derive from these.
                    if counts.oldest_own.is_none() || counts.derived == from.derived || is_extended
                    {
                        return DrainReport::of(counts, true);
                    }
                    is_extended = true;
                    *from = counts;
                    continue;
                }
            }
            Ok(Err(_)) => {}
            Err(_) => return DrainReport::of(last, false),
        }
        if has_ended {
            return DrainReport::of(last, false);
        }
        let rest = (asked.elapsed() * FLUSH_REST).min(FLUSH_INTERVAL);
        tokio::select! {
            () = notified => sleep_until(deadline.min(later(Instant::now(), rest))).await,
            () = sleep(FLUSH_INTERVAL) => {}
            () = sleep_until(deadline) => return DrainReport::of(last, false),
        }
    }
}

/// Returns the outbox's counts if it answers at once, and otherwise what the engine knows.
fn known(parts: &Parts) -> Counts {
    let counts = parts.outbox.counts().now_or_never().and_then(Result::ok);
    counts.unwrap_or_else(|| Counts { pending: parts.health.pending(), ..Counts::default() })
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.parts.intake.close();
        let _ = self.commands.send(Command::Stop);
        if !self.reported.load(Ordering::Relaxed) {
            let pending = known(&self.parts).pending;
            self.parts.intake.span.in_scope(|| telemetry::dropped(pending));
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("status", &self.status()).finish_non_exhaustive()
    }
}
