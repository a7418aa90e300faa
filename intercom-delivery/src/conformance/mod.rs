//! The test suite that every [`Outbox`] must pass.
//!
//! [`run`] calls random operations of the outbox and of a simple model. After each operation the
//! two must agree. If they differ, it looks for a shorter sequence with a difference, and reports
//! that.
//!
//! ```
//! use intercom_delivery::MemoryOutbox;
//! use intercom_delivery::conformance::{self, Profile};
//!
//! // In a test of your own:
//! conformance::run(&Profile::new().capacity(12), async || MemoryOutbox::new().capacity(12));
//! ```
//!
//! With [`Forward`], a test double of an outbox changes some methods and forwards the others.
//!
//! # Time
//!
//! [`run`] pauses tokio's clock, and is for an outbox that uses that clock. For another clock,
//! [`run_with`] takes a function that moves it. That clock may also run by itself, as long as one
//! sequence takes less than half a [tick](Profile::tick) of real time.
//!
//! ```
//! use std::time::Duration;
//! use intercom_delivery::MemoryOutbox;
//! use intercom_delivery::conformance::{self, Profile};
//!
//! let mut runtime = tokio::runtime::Builder::new_current_thread();
//! let runtime = runtime.enable_time().start_paused(true).build()?;
//! conformance::run_with(&Profile::new().cases(16), &runtime, async || {
//!     // Here the clock is tokio's. An injected clock has a handle of its own.
//!     let advance = async |by: Duration| tokio::time::advance(by).await;
//!     (MemoryOutbox::new(), advance)
//! });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What is tested
//!
//! - **Counts**: [`counts`](Outbox::counts) is right after each step.
//! - **Acceptance**: all or none. It fails with [`Full`](crate::outbox::AcceptError::Full) exactly
//!   when there is no room. A call that exceeds the capacity may fail with another error.
//! - **Leases**: only due events, each once, never more than the limit, in the order in which they
//!   became due. New events come in the order of their ids. A lease may return fewer events than
//!   are due.
//! - **Waiting**: a lease waits while it has nothing to return. It returns after an acceptance, a
//!   put-back or a redrive, when an event becomes due, or when another turn ends. While there is
//!   nothing to return, it also waits after a later call of `counts` has returned. An outbox that
//!   sets [`valid_for`](crate::outbox::Leased::valid_for) may return without events.
//! - **Cancellation**: a dropped lease loses nothing.
//! - **Turns**: one of two engines delivers, the other gets `Turn::Standby` once and waits. A
//!   release and the drop of the [`Tenure`](crate::outbox::Tenure) each end the turn: all leases
//!   end, and the turn of the other engine begins. Its `Tenure` has the slots of all pending events
//!   that are not new, and all used slots that the outbox must still keep. A call with an earlier
//!   epoch changes nothing.
//! - **Admission**: the outbox stores the new bytes or the delay of the event, or deletes it.
//!   Derived events are pending with the next ids.
//! - **Late calls**: if an event is not leased, or is already settled, its admission or settlement
//!   changes nothing. The call returns the id of the event.
//! - **Events**: the bytes are exactly those that `accept` or `admit` got. So are the names of
//!   sensitive keys. Stage, attempts, last failure and age are right.
//! - **`earliest_new`**: never later than the earliest second of a new event.
//!   **`oldest_pending`**: the age of the pending event with the lowest id.
//! - **Dead letters**: in the order of their ids, up to the limit, with reason, attempts and failure.
//!   Redriving, purging and burying change the selected ones, and return their number. An event that
//!   was buried during its lease has a used slot: a request for it may have reached Intercom.
//! - **Erasure**: it deletes each event that shares an identifier with the contact, leased or not,
//!   and returns the numbers. The engine gets the tombstones before, or with, the next events.
//!
//! At the end, all events are delivered. The suite tests neither crashes nor many threads. [`many`]
//! tests several processes on one store.

mod admission;
mod compare;
mod course;
mod forward;
pub mod many;
mod model;
mod offer;
mod operation;
mod shorten;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fastrand::Rng;
use tokio::runtime::{Builder, Runtime};

pub use admission::run_admission;
pub use forward::{Forward, Forwarding};

use self::operation::{Operation, operations};
use crate::outbox::{Operate, Outbox};

/// The properties of an outbox that the suite needs.
#[derive(Clone, Debug)]
pub struct Profile {
    capacity: Option<usize>,
    tick: Duration,
    cases: u64,
}

impl Profile {
    /// Creates the profile of an outbox that is never full, and whose clock the suite can move.
    pub fn new() -> Self {
        Profile { capacity: None, tick: Duration::from_secs(10), cases: 256 }
    }

    /// Sets how many events may be pending. The outbox must refuse one more. The default is no limit.
    ///
    /// Dead letters take no room, and redriving them is never refused. Choose a capacity of about
    /// 12 events: many sequences reach it.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = Some(events);
        self
    }

    /// Sets the unit of all times in a sequence. The default is 10 seconds.
    ///
    /// Without the waits in the sequence, one sequence must take less than half a tick. If the
    /// suite cannot move the outbox's clock, it waits in real time: then a shorter tick saves time.
    #[must_use]
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Sets the number of sequences, always the same ones. The default is 256.
    #[must_use]
    pub fn cases(mut self, cases: u64) -> Self {
        self.cases = cases;
        self
    }
}

impl Default for Profile {
    fn default() -> Self {
        Profile::new()
    }
}

/// Tests an outbox that uses tokio's clock. Each sequence has a new outbox, and a runtime whose
/// clock is paused.
///
/// # Panics
///
/// Panics when the outbox breaks a promise, and says which and by what operations.
pub fn run<O: Outbox + Operate>(profile: &Profile, make: impl AsyncFn() -> O) {
    try_sequences(profile, |operations| {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime can be made").block_on(async {
            let outbox = make().await;
            check(&outbox, profile, operations, tokio::time::advance).await
        })
    });
}

/// Tests an outbox with a clock of any kind. `make` returns a new and empty outbox, and a function
/// that moves its time. The runtime must have its timers enabled.
///
/// # Panics
///
/// Panics when the outbox breaks a promise, and says which and by what operations.
pub fn run_with<O, A>(profile: &Profile, runtime: &Runtime, make: impl AsyncFn() -> (O, A))
where
    O: Outbox + Operate,
    A: AsyncFnMut(Duration),
{
    try_sequences(profile, |operations| {
        runtime.block_on(async {
            let (outbox, advance) = make().await;
            check(&outbox, profile, operations, advance).await
        })
    });
}

/// Does these operations to a new and empty outbox, and compares it with the model after each. Then
/// all is delivered.
async fn check<O: Outbox + Operate>(
    outbox: &O,
    profile: &Profile,
    operations: &[Operation],
    advance: impl AsyncFnMut(Duration),
) -> Checked {
    let mut course = course::Course::new(outbox, profile, advance);
    for (step, operation) in operations.iter().enumerate() {
        let done = course.perform(operation).await;
        done.map_err(|what| format!("{what} (step {step}, {operation:?})"))?;
    }
    let done = course.deliver_all().await;
    done.map_err(|what| format!("{what} (after the last operation, when all is delivered)"))
}

/// Tries random sequences, and shortens the first that fails.
fn try_sequences(profile: &Profile, check: impl Fn(&[Operation]) -> Checked) {
    let check = |operations: &[Operation]| {
        // An outbox that panics fails too, and its sequence is shortened as any other.
        let checked = catch_unwind(AssertUnwindSafe(|| check(operations)));
        checked.unwrap_or_else(|_| Err("it panicked (see above)".to_owned()))
    };
    for case in 0..profile.cases {
        let operations = operations(&mut Rng::with_seed(case));
        let Err(what) = check(&operations) else { continue };
        let operations = shorten::shorten(operations, |shorter| check(shorter).is_err());
        let what = check(&operations).err().unwrap_or(what);
        let lines: String = operations.iter().map(|step| format!("    {step:?},\n")).collect();
        panic!("the outbox breaks a promise: {what}\nwith these operations: [\n{lines}]");
    }
}

/// The limit of a lease that has something to return. Less than a tick by default, so that
/// a paused clock comes to nothing else.
const LEASE_TIMEOUT: Duration = Duration::from_secs(9);

/// What was compared, or what is wrong with it.
type Checked<T = ()> = Result<T, String>;

/// Ends the comparison with these words, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}
use ensure;
