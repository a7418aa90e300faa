//! The tests that every [`Outbox`] must pass, for those who write one.
//!
//! [`run`] does random operations to the outbox and to a plain model of one. After each of them the
//! two must agree. It shortens a sequence that shows a difference before it reports it.
//!
//! ```
//! use intercom_delivery::MemoryOutbox;
//! use intercom_delivery::conformance::{self, Profile};
//!
//! // In a test of your own:
//! conformance::run(&Profile::new().capacity(12), async || MemoryOutbox::new().capacity(12));
//! ```
//!
//! [`Forward`] is for doubles of an outbox that do one thing differently.
//!
//! # Time
//!
//! [`run`] is for an outbox that goes by tokio's clock, and pauses it. For an outbox with another
//! clock, [`run_with`] takes what moves its time. A clock that goes on by itself does no harm as
//! long as one sequence takes less than half a [tick](Profile::tick) of real time.
//!
//! ```
//! use std::time::Duration;
//! use intercom_delivery::MemoryOutbox;
//! use intercom_delivery::conformance::{self, Profile};
//!
//! let mut runtime = tokio::runtime::Builder::new_current_thread();
//! let runtime = runtime.enable_time().start_paused(true).build()?;
//! conformance::run_with(&Profile::new().cases(16), &runtime, async || {
//!     // Here the clock is tokio's. One that is injected is moved by its own handle.
//!     let advance = async |by: Duration| tokio::time::advance(by).await;
//!     (MemoryOutbox::new(), advance)
//! });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What is tested
//!
//! - **Counts**: [`counts`](Outbox::counts) is right after each step.
//! - **Acceptance**: all or none. It fails with [`Full`](crate::outbox::AcceptError::Full) when
//!   there is no room, and only then. More at once than there ever is room for may be another error.
//! - **Leases**: nothing that is not due, nothing twice, never more than the limit, the longest due
//!   first. Events that were never put back come in the order of their ids. Fewer may be given
//!   than are due.
//! - **Waiting**: a lease waits until it has something to return: after an acceptance, a put-back
//!   or a redrive, after some time, or after the end of another turn. Once a later call of `counts`
//!   was answered, a lease that has nothing to return is still waiting. An outbox that sets
//!   [`valid_for`](crate::outbox::Leased::valid_for) may return without events.
//! - **Cancellation**: a lease that is dropped before it returned loses nothing.
//! - **Turns**: one of two engines delivers, the other gets `Turn::Standby` once and waits. A release and the
//!   drop of the [`Tenure`](crate::outbox::Tenure) each end the turn: all leases are void, and the
//!   other engine begins. It gets the slots of all pending events that are not new, and all used
//!   slots that are not forgotten. What carries an earlier epoch changes nothing.
//! - **Admission**: what it decides is stored: other bytes, a deferral, an end. What it derives is
//!   pending with the next ids.
//! - **Admission and settling**: what concerns an event that is not leased, or is settled a second
//!   time, is reported and changes nothing.
//! - **Events**: the bytes are those that were accepted or stored by `admit`, to the last space. So
//!   are the names of sensitive keys. Stage, attempts, last failure and age are right.
//! - **`earliest_new`**: never later than the truth. **`oldest_pending`**: the age of the pending event
//!   with the lowest id.
//! - **Dead letters**: read in the order of their ids, as many as asked if there are, with what was
//!   told of them. Redriving, purging and burying take those selected, and say how many. What was
//!   buried while it was leased counts as one that may have arrived.
//! - **Erasure**: it deletes what shares an identifier with the contact, leased or not, and says how
//!   much. The engine is told of it before, or with, the next events.
//!
//! At the end all is delivered. Not tested are what is lost in a crash, and many threads. [`many`]
//! tests what several processes do to one store.

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

/// What must be known of an outbox to test it.
#[derive(Clone, Debug)]
pub struct Profile {
    capacity: Option<usize>,
    tick: Duration,
    cases: u64,
}

impl Profile {
    /// Makes the profile of an outbox that is never full, and whose clock can be moved.
    pub fn new() -> Self {
        Profile { capacity: None, tick: Duration::from_secs(10), cases: 256 }
    }

    /// Sets how many events may be pending. One more is refused. The default is no limit.
    ///
    /// Dead letters take no room, and redriving them is never refused. The sequences often reach a
    /// capacity of about 12.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = Some(events);
        self
    }

    /// Sets the unit of all times in a sequence. The default is 10 seconds.
    ///
    /// One sequence must take less than half of it, not counting the waits that the sequence asks for. Where an
    /// outbox can only be tested by really waiting, a shorter tick makes that bearable.
    #[must_use]
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Sets how many sequences are tried, always the same ones. The default is 256.
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

/// Tests an outbox that goes by tokio's clock, each sequence on a new one and on a runtime whose
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

/// Tests an outbox that goes by a clock of any kind. `make` gives a new and empty outbox, and what
/// moves its time. The runtime must have its timers enabled.
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
