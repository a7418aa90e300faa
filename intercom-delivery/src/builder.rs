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

/// How many requests are in flight at once by default.
pub(crate) const DEFAULT_CONCURRENCY: usize = 32;

/// How long one attempt may take by default.
pub(crate) const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// How often the ledger is logged by default.
pub(crate) const DEFAULT_LEDGER_INTERVAL: Duration = Duration::from_secs(60);

/// Configures a [`Delivery`]. Made by [`Delivery::builder`].
#[must_use = "a builder does nothing until `start` is called"]
pub struct DeliveryBuilder {
    transport: Arc<dyn Transport>,
    store: Option<Store>,
    backpressure: Backpressure,
    labels: Labels,
    settings: Settings,
}

/// An outbox, as the engine, operators and the intake use it.
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

    /// Sets what holds the events until they are delivered. The default is a [`MemoryOutbox`] with
    /// its own defaults.
    ///
    /// Several deliveries may use one outbox, in this process or others. Each accepts events, and one
    /// of them delivers.
    pub fn outbox(mut self, outbox: impl Outbox + Operate + 'static) -> Self {
        self.store = Some(Store::of(outbox));
        self
    }

    /// Sets how many requests may be in flight at once. The default is 32.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.settings.concurrency = requests;
        self
    }

    /// Sets what becomes of an event for which the outbox has no room. The default is
    /// [`Backpressure::Wait`].
    pub fn backpressure(mut self, backpressure: Backpressure) -> Self {
        self.backpressure = backpressure;
        self
    }

    /// Sets when events are sent again, and when they become dead letters. The default is
    /// [`RetryPolicy::new`]: an event that may still pass is tried for ever, unless it alone fails.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.settings.retry = retry;
        self
    }

    /// Sets what becomes of an event whose contact Intercom does not know. The default is to send it
    /// again for a minute: [`UnknownContact::DEFAULT`].
    pub fn unknown_contact(mut self, unknown: UnknownContact) -> Self {
        self.settings.unknown_contact = unknown;
        self
    }

    /// Sets what becomes of an event that Intercom would take for a duplicate of another. The default
    /// is [`Collisions::Move`].
    pub fn collisions(mut self, collisions: Collisions) -> Self {
        self.settings.collisions = collisions;
        self
    }

    /// Sets how long one attempt may take, whatever the transport's own limits are.
    /// The default is 60 seconds.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// Sets how often the ledger is logged, at the level `info`, when it has changed.
    /// The default is 60 seconds.
    pub fn ledger_interval(mut self, interval: Duration) -> Self {
        self.settings.ledger_interval = interval;
        self
    }

    /// Sets a function that is called for each event that became a dead letter, once that is stored.
    /// It runs on the engine's own task and must not block. A panic in it is contained and counted.
    /// Dead letters are logged in any case.
    pub fn on_dead_letter(mut self, hook: impl Fn(&DeadLetter) + Send + Sync + 'static) -> Self {
        let hook: DeadLetterHook = Box::new(hook);
        self.settings.on_dead_letter = Some(hook);
        self
    }

    /// Sets rules over event data. They are applied once to each event that was accepted, whatever its
    /// origin, before its first attempt. An event that a rule derived meets no rule. The default is
    /// none.
    ///
    /// What they change is stored before anything is sent: a crash derives nothing twice and nothing
    /// never. Where several processes use one outbox, the rules of the one that delivers count. Events
    /// that were in flight in a crash meet other rules if the next process has others.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.settings.rules = rules;
        self
    }

    /// Sets a function that is asked whether an event may be sent, once for each event that was
    /// accepted or derived, before its first attempt. The default sends all events.
    ///
    /// It runs on the engine's own task and must not block. A panic in it is contained and counted,
    /// and the event is asked about again after a minute.
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
    /// A test sends, flushes, and reads what was withheld and what was sent:
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

    /// Labels this delivery in metrics, logs and [`Status`](crate::Status), so that several of one process can be
    /// told apart. May be called for several labels. The default is none.
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

    /// Makes the jitter the same in every run, for tests. The default is random.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Sets where the wall clock is read, for tests. The default is the system's.
    ///
    /// It says which second it is when delivery starts, and whether the system's clock is stepped later.
    /// Everything that waits goes by elapsed time.
    pub fn wall_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.settings.wall_clock = Arc::new(now);
        self
    }

    /// Starts delivery, as a task of the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails outside of a Tokio runtime, in one without timers, when a setting makes delivery
    /// impossible, and when the clock of this machine is not set.
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
        // Tokio offers no other way to ask for timers.
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
        // Made before the task, so that it ends well even where the task never begins.
        let ending = Ending(parts.clone());
        let engine = runtime.spawn(engine::run(ending, self.settings, receiver).instrument(span));
        Ok(Delivery::new(parts, operate, commands, engine, runtime))
    }

    /// Starts delivery over this outbox in memory, instead of the one that
    /// [`outbox`](Self::outbox) set. Returns a tracker too that hands events over without waiting:
    /// only an outbox in memory allows that.
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
    /// As [`start`](Self::start).
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
    /// The clock of this machine is not set.
    #[error(
        "the clock of this machine shows a time before this version of the library was written; set \
         the clock, then start the delivery"
    )]
    ClockNotSet,
    /// A duration is zero.
    #[error("the {which} must be longer than zero")]
    ZeroDuration {
        /// Which setting.
        which: &'static str,
    },
}

/// The same sentence: it is what a `main` shows that ends with an error.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
