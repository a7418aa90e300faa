//! The tests that every [`Outbox`] must pass, for those who write one.
//!
//! Random operations are done to the outbox and to a plain model of one, and after each of them the two must agree. A
//! sequence that shows a difference is made as short as can be before it is told.
//!
//! ```
//! use intercom_delivery::MemoryOutbox;
//! use intercom_delivery::conformance::{self, Profile};
//!
//! // In a test of your own:
//! conformance::run(&Profile::new().capacity(12), async || MemoryOutbox::new().capacity(12));
//! ```
//!
//! # Time
//!
//! [`run`] is for an outbox that goes by tokio's clock, and pauses it. One that goes by another clock is told by
//! [`run_with`] how its time moves. A clock that goes on by itself does no harm as long as one sequence takes less than
//! half a [tick](Profile::tick) of real time.
//!
//! ```
//! use std::time::Duration;
//! use intercom_delivery::MemoryOutbox;
//! use intercom_delivery::conformance::{self, Profile};
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().start_paused(true).build()?;
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
//! - **Books**: [`counts`](Outbox::counts) is right after each step, and so are the lowest pending and the newest id.
//! - **Acceptance**: all or none. It fails with [`Full`](crate::outbox::AcceptError::Full) when there is no room, and
//!   only then; more at once than there ever is room for may be another error. What was not accepted without waiting is
//!   given back; where that is unsupported, it always is. The engine is woken, by the [`Wake`](crate::outbox::Wake) that
//!   was attached last.
//! - **Leases**: nothing that is not due, nothing twice, never more than asked, the longest due first, and of those that
//!   are due since the same moment the lowest id first. Fewer may be given than asked and due, as long as `next_due` is
//!   zero then. A lease ends by itself, and each has a token of its own.
//! - **`next_due`**: never later than the truth, never `None` while anything is pending, and zero only when more is due.
//! - **Settling**: what comes too late or a second time is reported and changes nothing.
//! - **Events**: name, contact and bytes are those that were accepted, to the last space. Attempts are those that were
//!   last told. The age counts from acceptance, or from when the event was redriven.
//! - **Dead letters**: read in the order of their ids, as many as asked if there are, with what was told of them.
//!   Redriving and purging take those selected, and say how many.
//! - **Collisions**: an event is moved only where its second was taken at some time, and surely where the other event is
//!   held, as a dead letter too, or left within the last two minutes. It is moved no further than to the first second
//!   that never was taken. Nothing but its second changes.
//!
//! At the end all is delivered. Not tested are what is lost in a crash, and several who lease at once.

mod compare;
mod course;
mod model;
mod offer;
mod operation;
mod places;
mod shorten;
mod violation;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::runtime::{Builder, Runtime};

pub use offer::{Offer, Shape};
pub use operation::{Ending, Letters, Operation, Settling, operations};
pub use violation::Violation;

use crate::outbox::Outbox;

/// What must be known of an outbox to test it.
#[derive(Clone, Debug)]
pub struct Profile {
    capacity: Option<usize>,
    tick: Duration,
    cases: u32,
}

impl Profile {
    /// An outbox that is never full, and whose clock can be moved.
    pub fn new() -> Self {
        Profile { capacity: None, tick: Duration::from_secs(10), cases: 256 }
    }

    /// How many events may be pending: one more is refused. The default is that none ever is.
    ///
    /// Dead letters take no room, and redriving them is never refused. A capacity of about 12 is often reached by the
    /// sequences of [`operations`].
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = Some(events);
        self
    }

    /// The unit of all times in [`Operation`]s. The default is 10 seconds.
    ///
    /// One sequence must take less than half of it, not counting what it is told to wait. Where an outbox can only
    /// be tested by really waiting, a shorter tick makes that bearable.
    #[must_use]
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// How many sequences are tried. The default is 256; the environment variable `PROPTEST_CASES` overrules both.
    #[must_use]
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }
}

impl Default for Profile {
    fn default() -> Self {
        Profile::new()
    }
}

/// Tests an outbox that goes by tokio's clock, each sequence on a new one and on a runtime whose clock is paused.
///
/// # Panics
///
/// Panics when the outbox breaks a promise, and says which and by what operations.
pub fn run<O: Outbox>(profile: &Profile, make: impl AsyncFn() -> O) {
    try_sequences(profile, |operations| {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime can be made").block_on(async {
            let outbox = make().await;
            check(&outbox, profile, operations, tokio::time::advance).await
        })
    });
}

/// Tests an outbox that goes by a clock of any kind. What is made is a new and empty outbox, and what moves its time.
///
/// # Panics
///
/// Panics when the outbox breaks a promise, and says which and by what operations.
pub fn run_with<O, A>(profile: &Profile, runtime: &Runtime, make: impl AsyncFn() -> (O, A))
where
    O: Outbox,
    A: AsyncFnMut(Duration),
{
    try_sequences(profile, |operations| {
        runtime.block_on(async {
            let (outbox, advance) = make().await;
            check(&outbox, profile, operations, advance).await
        })
    });
}

/// Does these operations to a new and empty outbox, and holds it against the model after each. Then all is delivered.
///
/// # Errors
///
/// Fails at the first promise that the outbox breaks.
pub async fn check(
    outbox: &dyn Outbox,
    profile: &Profile,
    operations: &[Operation],
    advance: impl AsyncFnMut(Duration),
) -> Result<(), Violation> {
    let mut course = course::Course::new(outbox, profile, advance);
    course.begin().map_err(|what| Violation::new(what, "before the first operation"))?;
    for (step, operation) in operations.iter().enumerate() {
        let done = course.perform(operation).await;
        done.map_err(|what| Violation::new(what, format_args!("step {step}, {operation:?}")))?;
    }
    let done = course.deliver_all().await;
    done.map_err(|what| Violation::new(what, "after the last operation, when all is delivered"))
}

/// Tries random sequences, and shortens the first that fails.
fn try_sequences(profile: &Profile, check: impl Fn(&[Operation]) -> Result<(), Violation>) {
    let config = Config::default();
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config.cases,
        None => profile.cases,
    };
    // A failing sequence is told in full, so that no file need keep it.
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 10_000,
        max_shrink_time: 60_000,
        ..config
    };
    let check = |operations: &[Operation]| {
        // An outbox that panics fails too, and its sequence is shortened as any other.
        let checked = catch_unwind(AssertUnwindSafe(|| check(operations)));
        let panicked = |_| Err(Violation::new("it panicked".to_owned(), "see above"));
        checked.unwrap_or_else(panicked).map_err(|violation| violation.to_string())
    };
    let tried = TestRunner::new(config)
        .run(&operations(), |operations| check(&operations).map_err(TestCaseError::fail));
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(what, operations)) => {
            let operations = shorten::shorten(operations, |shorter| check(shorter).is_err());
            let what = check(&operations).err().unwrap_or_else(|| what.to_string());
            let lines: String = operations.iter().map(|step| format!("    {step:?},\n")).collect();
            panic!("the outbox breaks a promise: {what}\nwith these operations: [\n{lines}]")
        }
        Err(error) => panic!("the outbox could not be tested: {error}"),
    }
}
