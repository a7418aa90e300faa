//! Configures and starts a delivery.

use std::any::Any;
use std::fmt;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use intercom_core::rules::EARLIEST_NOW;
use intercom_core::{Contact, DataEvent, Timestamp, Transport};
use intercom_rules::Rules;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tracing::Instrument;

use crate::delivery::Delivery;
use crate::engine::{self, DeadLetterHook, Ending, Parts, Settings};
use crate::intake::Intake;
use crate::memory_tracker::MemoryTracker;
use crate::metrics::Metrics;
use crate::outbox::{DeadLetter, MemoryOutbox, Operate, Outbox};
use crate::policy::{Backpressure, Collisions, Consent, RetryPolicy, UnknownContact};
use crate::status::Health;
use crate::telemetry::Labels;

/// The default limit of requests in flight.
pub(crate) const DEFAULT_CONCURRENCY: usize = 32;

/// The default limit of one attempt.
pub(crate) const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// The default interval between logs of the ledger.
pub(crate) const DEFAULT_LEDGER_INTERVAL: Duration = Duration::from_secs(60);

/// Configures and starts a [`Delivery`]. [`Delivery::builder`] returns it.
#[must_use = "a builder does nothing until `start` is called"]
pub struct DeliveryBuilder {
    transport: Arc<dyn Transport>,
    store: Option<Store>,
    backpressure: Backpressure,
    labels: Labels,
    settings: Settings,
}

/// An outbox, with the interfaces for the engine, operators and the intake.
struct Store {
    outbox: Arc<dyn Outbox>,
    operate: Arc<dyn Operate>,
    memory: Option<Arc<MemoryOutbox>>,
}

impl Store {
    fn of<O: Outbox + Operate + 'static>(outbox: O) -> Self {
        let outbox = Arc::new(outbox);
        let any: Arc<dyn Any + Send + Sync> = outbox.clone();
        Store { operate: outbox.clone(), memory: any.downcast().ok(), outbox }
    }
}

impl DeliveryBuilder {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        DeliveryBuilder {
            transport,
            store: None,
            backpressure: Backpressure::default(),
            labels: Labels::default(),
            settings: Settings {
                concurrency: DEFAULT_CONCURRENCY,
                attempt_timeout: DEFAULT_ATTEMPT_TIMEOUT,
                retry: RetryPolicy::new(),
                unknown_contact: UnknownContact::default(),
                collisions: Collisions::default(),
                ledger_interval: DEFAULT_LEDGER_INTERVAL,
                on_dead_letter: None,
                rules: Rules::default(),
                consent: None,
                seed: None,
                wall_clock: Arc::new(SystemTime::now),
            },
        }
    }

    /// Sets the outbox that holds events until delivery. The default is [`MemoryOutbox::new`],
    /// which loses its events when the process ends.
    ///
    /// Several deliveries may use one outbox, in this process or others. Each accepts events, and
    /// one of them delivers.
    pub fn outbox(mut self, outbox: impl Outbox + Operate + 'static) -> Self {
        self.store = Some(Store::of(outbox));
        self
    }

    /// Limits how many requests are in flight at once. The default is 32.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.settings.concurrency = requests;
        self
    }

    /// Sets what the delivery does with an event when the outbox is full. The default is
    /// [`Backpressure::Wait`].
    pub fn backpressure(mut self, backpressure: Backpressure) -> Self {
        self.backpressure = backpressure;
        self
    }

    /// Sets when the engine sends an event again, and when it makes the event a dead letter
    /// instead. The default is [`RetryPolicy::new`]: back-off up to 5 minutes, and no limit of age
    /// or attempts.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.settings.retry = retry;
        self
    }

    /// Sets what the engine does with an event of an unknown contact. The default is to send it
    /// again for a minute: [`UnknownContact::DEFAULT`].
    pub fn unknown_contact(mut self, unknown: UnknownContact) -> Self {
        self.settings.unknown_contact = unknown;
        self
    }

    /// Sets what the engine does with an event that Intercom would take for a duplicate of another.
    /// The default is [`Collisions::Move`], which moves the event to the next free second.
    pub fn collisions(mut self, collisions: Collisions) -> Self {
        self.settings.collisions = collisions;
        self
    }

    /// Limits the time of one attempt, in addition to the transport's own time-outs. The default is
    /// 60 seconds.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// Sets the interval between logs of the ledger, at the level `info`. An unchanged ledger is
    /// not logged. The default is 60 seconds.
    pub fn ledger_interval(mut self, interval: Duration) -> Self {
        self.settings.ledger_interval = interval;
        self
    }

    /// Sets a function that the engine calls after the outbox has stored a dead letter. With or
    /// without it, the engine logs each dead letter.
    ///
    /// The function runs on the engine's own task and must not block. The engine catches and counts
    /// its panics.
    pub fn on_dead_letter(mut self, hook: impl Fn(&DeadLetter) + Send + Sync + 'static) -> Self {
        let hook: DeadLetterHook = Box::new(hook);
        self.settings.on_dead_letter = Some(hook);
        self
    }

    /// Sets rules that rename or drop events, or derive further events from them. The engine
    /// applies them once to each accepted event before its first attempt, whichever process
    /// accepted it. It does not apply them to derived events. The default is no rules.
    ///
    /// The outbox stores the result before the first attempt. So after a crash, each derived event
    /// exists exactly once. Only the delivering process applies its rules. After a takeover, the
    /// next process applies its own rules to events for which the outbox has no stored result.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.settings.rules = rules;
        self
    }

    /// Sets a function that decides whether to send an event. The engine calls it for each accepted
    /// or derived event, before the first attempt. After [`Consent::Later`] it calls it again. The
    /// default sends all events.
    ///
    /// The function runs on the engine's own task and must not block. The engine catches and counts
    /// its panics, and calls it again for the event after a minute.
    ///
    /// ```
    /// # use intercom_core::testing::RecordingTransport;
    /// # use intercom_delivery::{Consent, Delivery};
    /// # fn has_opted_out(_: Option<&str>) -> bool { false }
    /// let builder = Delivery::builder(RecordingTransport::new()).consent(|contact, _event| {
    ///     if has_opted_out(contact.as_user_id()) { Consent::Denied } else { Consent::Given }
    /// });
    /// ```
    ///
    /// A test sends events, flushes, and checks how many the engine withheld and sent:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use intercom_core::{Contact, DynamicEvent, testing::RecordingTransport};
    /// # use intercom_delivery::{Consent, Delivery};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let transport = RecordingTransport::new();
    /// let delivery = Delivery::builder(transport.clone())
    ///     .consent(|contact, _| match contact.as_user_id() {
    ///         Some("opted-out") => Consent::Denied,
    ///         _ => Consent::Given,
    ///     })
    ///     .start()?;
    /// let tracker = delivery.tracker();
    /// for user in ["opted-out", "ada"] {
    ///     let event = DynamicEvent::new("signed_up")?;
    ///     tracker.for_contact(Contact::user_id(user)).send(&event).await?;
    /// }
    /// assert!(delivery.flush(Duration::from_secs(5)).await.is_complete());
    /// assert_eq!(delivery.ledger().await?.withheld, 1);
    /// assert_eq!(transport.events().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn consent(
        mut self,
        ask: impl Fn(&Contact, &DataEvent) -> Consent + Send + Sync + 'static,
    ) -> Self {
        self.settings.consent = Some(Box::new(ask));
        self
    }

    /// Adds a label to this delivery's metrics, logs and [`Status`](crate::Status). Labels
    /// distinguish several deliveries of one process. A second call with the same name replaces the
    /// value. The default is no labels.
    ///
    /// ```
    /// # use intercom_core::testing::RecordingTransport;
    /// # use intercom_delivery::Delivery;
    /// let builder = Delivery::builder(RecordingTransport::new()).label("workspace", "acme");
    /// ```
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.set(name.into(), value.into());
        self
    }

    /// Seeds the jitter of all waits, so that a test can repeat them. The default is a random seed.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Sets the wall clock, for tests. The default is the system's clock.
    ///
    /// The engine reads the time when it starts. Later it compares the clock with the elapsed time,
    /// to notice when someone sets the clock. Waits depend on the elapsed time alone.
    pub fn wall_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.settings.wall_clock = Arc::new(now);
        self
    }

    /// Starts the delivery, as a task of the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails outside of a Tokio runtime, and in a runtime without timers. Fails when the
    /// [concurrency](Self::concurrency), the [attempt timeout](Self::attempt_timeout) or the
    /// [ledger interval](Self::ledger_interval) is zero. Fails when the clock shows a time before
    /// this version was written.
    pub fn start(mut self) -> Result<Delivery, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        if self.settings.concurrency == 0 {
            return Err(StartError::ZeroConcurrency);
        }
        for (which, duration) in [
            ("attempt timeout", self.settings.attempt_timeout),
            ("ledger interval", self.settings.ledger_interval),
        ] {
            if duration.is_zero() {
                return Err(StartError::ZeroDuration { which });
            }
        }
        if Timestamp::from((self.settings.wall_clock)()).unix_seconds() < EARLIEST_NOW {
            return Err(StartError::ClockNotSet);
        }
        // Tokio has no other way to find out whether timers are enabled.
        if catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
            return Err(StartError::NoTimers);
        }
        let store = self.store.take().unwrap_or_else(|| Store::of(MemoryOutbox::new()));
        let Store { outbox, operate, memory } = store;
        let span = self.labels.span();
        let rules: Vec<_> = self.settings.rules.dropping().collect();
        let metrics = Metrics::new(&self.labels, &rules);
        let intake = Intake::new(
            outbox.clone(),
            memory,
            self.backpressure,
            runtime.clone(),
            span.clone(),
            metrics,
        );
        let parts = Parts {
            intake: Arc::new(intake),
            outbox,
            transport: self.transport,
            health: Arc::new(Health::new(self.labels)),
            settled: Arc::new(Notify::new()),
        };
        let (commands, receiver) = mpsc::unbounded_channel();
        // Made before the task, so that the intake closes even if the task never runs.
        let ending = Ending(parts.clone());
        let engine = runtime.spawn(engine::run(ending, self.settings, receiver).instrument(span));
        Ok(Delivery::new(parts, operate, commands, engine, runtime))
    }

    /// Starts the delivery with this outbox in memory. It replaces an outbox that
    /// [`outbox`](Self::outbox) set.
    ///
    /// The [`MemoryTracker`] has a method that is not `async`: `try_send` accepts an event without
    /// waiting, or fails. Only an outbox in memory can do that.
    ///
    /// ```
    /// # use intercom_core::testing::RecordingTransport;
    /// # use intercom_core::{Contact, DynamicEvent};
    /// # use intercom_delivery::{Delivery, MemoryOutbox};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let transport = RecordingTransport::new();
    /// let (delivery, tracker) = Delivery::builder(transport).start_in_memory(MemoryOutbox::new())?;
    /// let event = DynamicEvent::new("project_created")?;
    /// tracker.for_contact(Contact::user_id(42)).try_send(&event)?; // not async
    /// # drop(delivery);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`start`](Self::start) does.
    pub fn start_in_memory(
        self,
        outbox: MemoryOutbox,
    ) -> Result<(Delivery, MemoryTracker), StartError> {
        let memory = Arc::new(outbox);
        let (outbox, operate) = (memory.clone(), memory.clone());
        let store = Some(Store { outbox, operate, memory: Some(memory.clone()) });
        let delivery = DeliveryBuilder { store, ..self }.start()?;
        let tracker = MemoryTracker::new(delivery.tracker(), delivery.intake(), memory);
        Ok((delivery, tracker))
    }
}

impl fmt::Debug for DeliveryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryBuilder")
            .field("concurrency", &self.settings.concurrency)
            .field("backpressure", &self.backpressure)
            .field("retry", &self.settings.retry)
            .field("unknown_contact", &self.settings.unknown_contact)
            .field("collisions", &self.settings.collisions)
            .field("attempt_timeout", &self.settings.attempt_timeout)
            .finish_non_exhaustive()
    }
}

/// Why a delivery did not start.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No Tokio runtime runs here.
    #[error("no Tokio runtime runs here; start the delivery within one, as in `#[tokio::main]`")]
    NoRuntime,
    /// The Tokio runtime has no timers.
    #[error("the Tokio runtime has no timers; enable them with `enable_time` or `enable_all`")]
    NoTimers,
    /// The concurrency is 0.
    #[error("the concurrency must be at least 1")]
    ZeroConcurrency,
    /// The clock of this machine shows a time before this version of the library was written.
    #[error(
        "the clock of this machine shows a time before this version of the library was written; \
         set the clock, then start the delivery"
    )]
    ClockNotSet,
    /// The attempt timeout or the ledger interval is zero.
    #[error("the {which} must be longer than zero")]
    ZeroDuration {
        /// The name of the setting.
        which: &'static str,
    },
}

/// The error's message, because a `main` that returns the error prints its `Debug`.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
