//! The tests for an outbox that several processes share.
//!
//! [`run`] starts a *fleet*: several processes on one store. All of them accept events, and one
//! delivers. Operators bury, redrive, purge and erase in any of them. [`run`] kills or stops any
//! process at any moment. Each process admits events as the engine does, and sends them to a model
//! of Intercom. The suite in [`conformance`](super) must pass first: it tests each method by
//! itself.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use intercom_core::DataEvent;
//! use intercom_delivery::conformance::many::{self, Fleet, Process, FleetProfile, Promise, Transaction};
//! use intercom_delivery::{MemoryOutbox, Outbox, outbox::Tenure};
//!
//! /// A store in memory. Its "processes" are handles within this one.
//! struct InMemory(Arc<MemoryOutbox>);
//!
//! impl Fleet for InMemory {
//!     type Process = Handle;
//!
//!     async fn start(&mut self) -> Handle {
//!         Handle(self.0.clone())
//!     }
//!
//!     async fn advance(&mut self, by: Duration) {
//!         tokio::time::sleep(by).await;
//!     }
//! }
//!
//! struct Handle(Arc<MemoryOutbox>);
//!
//! impl Process for Handle {
//!     type Outbox = Arc<MemoryOutbox>;
//!     type Transaction = Deferred;
//!
//!     fn outbox(&self) -> &Arc<MemoryOutbox> {
//!         &self.0
//!     }
//!
//!     async fn begin(&self, events: Vec<DataEvent>) -> Deferred {
//!         Deferred(self.0.clone(), events)
//!     }
//!
//!     async fn pause(&mut self) {
//!         unreachable!("the profile leaves out stopped processes");
//!     }
//!
//!     async fn resume(&mut self) {}
//!
//!     async fn kill(self, tenure: Option<Tenure>) {
//!         drop(tenure);
//!     }
//! }
//!
//! /// This store knows no transactions of the application's own: it inserts at the commit.
//! struct Deferred(Arc<MemoryOutbox>, Vec<DataEvent>);
//!
//! impl Transaction for Deferred {
//!     async fn commit(self) {
//!         self.0.accept(&self.1).await.expect("there is room");
//!     }
//!
//!     async fn roll_back(self) {}
//! }
//!
//! let mut runtime = tokio::runtime::Builder::new_current_thread();
//! let runtime = runtime.enable_time().start_paused(true).build()?;
//! let profile = FleetProfile::new()
//!     .histories(8)
//!     .accepts_at_commit()
//!     .skip(Promise::StoppedProcess, "all handles are in one process");
//! let report = many::run(&profile, &runtime, async || InMemory(Arc::default()));
//! assert_eq!(report.skipped(), [Promise::StoppedProcess]);
//! # Ok::<(), std::io::Error>(())
//! ```

mod engine;
mod events;
mod history;
mod intercom;
mod profile;

use std::time::Duration;

use intercom_core::DataEvent;
use tokio::runtime::Runtime;

pub use self::profile::{FleetProfile, FleetReport, Promise};

use self::history::FleetHistory;
use crate::outbox::{Operate, Outbox, Tenure};

/// One new and empty store, and the processes that share it.
pub trait Fleet {
    /// A process with a handle on the store.
    type Process: Process;

    /// Starts one more process, and opens the store in it.
    fn start(&mut self) -> impl Future<Output = Self::Process>;

    /// Lets time pass for the store and for all running processes.
    ///
    /// A process that runs must be able to renew its turn meanwhile. `tokio::time::sleep` does this
    /// on a paused clock too.
    fn advance(&mut self, by: Duration) -> impl Future<Output = ()>;
}

/// A process with a handle on the store, and what can happen to it.
pub trait Process {
    /// The handle.
    type Outbox: Outbox + Operate;
    /// A transaction of the application's own.
    type Transaction: Transaction;

    /// Returns the handle. The suite does not use it while the process is stopped.
    fn outbox(&self) -> &Self::Outbox;

    /// Accepts events in a transaction of the application's own, which stays open.
    ///
    /// If the store allows one writing transaction at a time, keep the events, and insert them at
    /// the commit. Then call [`FleetProfile::accepts_at_commit`].
    fn begin(&self, events: Vec<DataEvent>) -> impl Future<Output = Self::Transaction>;

    /// Stops everything that the process does, as `SIGSTOP` does.
    fn pause(&mut self) -> impl Future<Output = ()>;

    /// Lets a stopped process continue, as `SIGCONT` does.
    fn resume(&mut self) -> impl Future<Output = ()>;

    /// Ends the process as `kill -9` does: it releases nothing in the store.
    ///
    /// Drop the tenure only when the process can do nothing more.
    fn kill(self, tenure: Option<Tenure>) -> impl Future<Output = ()>;
}

/// A transaction that has accepted events. Dropping it rolls it back.
pub trait Transaction {
    /// Commits it.
    fn commit(self) -> impl Future<Output = ()>;

    /// Rolls it back.
    fn roll_back(self) -> impl Future<Output = ()>;
}

/// Tests an outbox that several processes share, with each history on a new store. The runtime must
/// have its timers enabled. If the store has a clock of its own, do not pause the runtime's clock.
///
/// The report names the promises that the run did not test. Compare them with those that the outbox
/// cannot keep.
///
/// # Panics
///
/// Panics when the outbox breaks a [promise](Promise), and says which, and after which steps.
pub fn run<F: Fleet>(
    profile: &FleetProfile,
    runtime: &Runtime,
    make: impl AsyncFn() -> F,
) -> FleetReport {
    let mut report = FleetReport::new(profile);
    for history in 0..profile.histories {
        let seed = profile.seed.wrapping_add(history);
        let (done, steps) = runtime.block_on(async {
            let mut history = FleetHistory::new(profile, make().await, seed).await;
            let done = history.run(&mut report).await;
            (done, history.into_steps())
        });
        if let Err(Violation { promise, what }) = done {
            let steps: String = steps.iter().map(|step| format!("    {step}\n")).collect();
            panic!(
                "the outbox breaks a promise ({promise}): {what}\nin the history with the seed \
                 {seed}:\n{steps}"
            );
        }
    }
    report
}

/// What breaks a promise.
#[derive(Debug)]
struct Violation {
    promise: Promise,
    what: String,
}

type Verified<T = ()> = Result<T, Violation>;

/// Ends the history with these words, unless the condition holds.
macro_rules! require {
    ($condition:expr, $promise:ident, $($words:tt)+) => {
        if !$condition {
            return Err($crate::conformance::many::Violation {
                promise: $crate::conformance::many::Promise::$promise,
                what: format!($($words)+),
            });
        }
    };
}
use require;
