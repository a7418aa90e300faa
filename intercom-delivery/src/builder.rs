//! Setting a delivery up.

use std::fmt;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::Transport;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::delivery::Delivery;
use crate::engine::{self, DeadLetterHook, Ending, Settings, UnknownContact};
use crate::intake::{Backpressure, Intake};
use crate::outbox::{Collisions, DeadLetter, MemoryOutbox, Outbox, Wake};
use crate::retry::RetryPolicy;
use crate::shared::Shared;

/// How many requests are under way at once, unless told otherwise.
pub const DEFAULT_CONCURRENCY: usize = 32;

/// How long one attempt may take, unless told otherwise.
pub const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// How often the ledger is logged, unless told otherwise.
pub const DEFAULT_LEDGER_INTERVAL: Duration = Duration::from_secs(60);

/// Sets up a [`Delivery`]. Made by [`Delivery::builder`].
#[must_use = "a builder does nothing until `start` is called"]
pub struct DeliveryBuilder {
    transport: Arc<dyn Transport>,
    outbox: Option<Arc<dyn Outbox>>,
    backpressure: Backpressure,
    collisions: Collisions,
    settings: Settings,
}

impl DeliveryBuilder {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        DeliveryBuilder {
            transport,
            outbox: None,
            backpressure: Backpressure::default(),
            collisions: Collisions::default(),
            settings: Settings {
                concurrency: DEFAULT_CONCURRENCY,
                attempt_timeout: DEFAULT_ATTEMPT_TIMEOUT,
                retry: RetryPolicy::new(),
                unknown_contact: UnknownContact::default(),
                ledger_interval: DEFAULT_LEDGER_INTERVAL,
                on_dead_letter: None,
                seed: None,
            },
        }
    }

    /// What holds the events until they are delivered. The default is a [`MemoryOutbox`] with its own defaults.
    ///
    /// It is this delivery's until that has ended. A second one on the same outbox would deliver events of the first, which
    /// would no longer be woken for its own.
    pub fn outbox(mut self, outbox: impl Outbox + 'static) -> Self {
        self.outbox = Some(Arc::new(outbox));
        self
    }

    /// How many requests may be under way at once. The default is [`DEFAULT_CONCURRENCY`], 32.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.settings.concurrency = requests;
        self
    }

    /// What becomes of an event for which the outbox has no room. The default is [`Backpressure::Wait`].
    pub fn backpressure(mut self, backpressure: Backpressure) -> Self {
        self.backpressure = backpressure;
        self
    }

    /// When events are sent again, and when they are given up. The default is [`RetryPolicy::new`], which gives up
    /// nothing that may still pass: an event that is never answered for is tried for ever. Set an age or a number of
    /// attempts to end that.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.settings.retry = retry;
        self
    }

    /// What becomes of an event whose contact Intercom does not know. The default is to send it again for a minute:
    /// [`UnknownContact::DEFAULT`].
    pub fn unknown_contact(mut self, unknown: UnknownContact) -> Self {
        self.settings.unknown_contact = unknown;
        self
    }

    /// What becomes of an event that Intercom would take for the repetition of another. The default is
    /// [`Collisions::Move`].
    pub fn collisions(mut self, collisions: Collisions) -> Self {
        self.collisions = collisions;
        self
    }

    /// How long one attempt may take, whatever the transport's own bounds are. The default is
    /// [`DEFAULT_ATTEMPT_TIMEOUT`], 60 seconds.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// How often the ledger is logged, at the level `info`, when it has changed. The default is
    /// [`DEFAULT_LEDGER_INTERVAL`], 60 seconds.
    pub fn ledger_interval(mut self, interval: Duration) -> Self {
        self.settings.ledger_interval = interval;
        self
    }

    /// Is called for each event that ends in the dead letters, when it is safe there. It runs on the engine's own
    /// task and must not block; a panic in it is contained and counted. The default is that dead letters are logged.
    pub fn on_dead_letter(mut self, hook: impl Fn(&DeadLetter) + Send + Sync + 'static) -> Self {
        let hook: DeadLetterHook = Box::new(hook);
        self.settings.on_dead_letter = Some(hook);
        self
    }

    /// Makes the jitter the same in every run: for tests. The default is that it is not.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Starts to deliver, as a task of the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails outside of a Tokio runtime and in one without timers, and when a setting makes delivery impossible.
    pub fn start(self) -> Result<Delivery, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let settings = &self.settings;
        if settings.concurrency == 0 {
            return Err(StartError::ZeroConcurrency);
        }
        for (which, duration) in [
            ("attempt timeout", settings.attempt_timeout),
            ("ledger interval", settings.ledger_interval),
        ] {
            if duration.is_zero() {
                return Err(StartError::ZeroDuration { which });
            }
        }
        // There is no other way to ask for timers than to make one.
        if catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
            return Err(StartError::NoTimers);
        }
        let outbox = self.outbox.unwrap_or_else(|| Arc::new(MemoryOutbox::new()));
        let wake = Wake::new();
        outbox.attach(wake.clone());
        let (commands, receiver) = mpsc::unbounded_channel();
        let intake = Intake::new(outbox.clone(), self.backpressure, self.collisions, wake.clone());
        let shared = Arc::new(Shared::new(intake, outbox, self.transport, wake, commands));
        // Made before the task, so that it ends well even where the task never begins.
        let ending = Ending(shared.clone());
        let engine = runtime.spawn(engine::run(ending, self.settings, receiver));
        Ok(Delivery::new(shared, engine, runtime))
    }
}

impl fmt::Debug for DeliveryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryBuilder")
            .field("concurrency", &self.settings.concurrency)
            .field("backpressure", &self.backpressure)
            .field("retry", &self.settings.retry)
            .field("unknown_contact", &self.settings.unknown_contact)
            .field("collisions", &self.collisions)
            .field("attempt_timeout", &self.settings.attempt_timeout)
            .finish_non_exhaustive()
    }
}

/// Why a delivery did not start.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No Tokio runtime runs here.
    #[error("no Tokio runtime runs here; start delivery from within one, as in `#[tokio::main]`")]
    NoRuntime,
    /// The Tokio runtime has no timers.
    #[error("the Tokio runtime has no timers; enable them with `enable_time` or `enable_all`")]
    NoTimers,
    /// No request may be under way.
    #[error("the concurrency is 0, and nothing could be sent; it is 1 at the least")]
    ZeroConcurrency,
    /// A time is zero that cannot be.
    #[error("the {which} is zero; it must last for some time")]
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
