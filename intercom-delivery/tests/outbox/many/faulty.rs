//! The faults, each with the promises that it breaks.

use intercom_delivery::conformance::many::Promise;

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $fault:ident: $($promise:ident)|+,)*) => {
        /// A fault of the store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($(#[doc = $doc])* $fault,)*
        }

        /// Each fault, with the promises of which the suite reports one.
        pub(crate) const FAULTS: &[(Fault, &[Promise])] =
            &[$((Fault::$fault, &[$(Promise::$promise),+]),)*];
    };
}

faults! {
    /// A deposed process also makes the store forget used slots.
    SettlesUnderAnyEpoch: Fencing | Collisions,
    AdmitsUnderAnyEpoch: Fencing,
    /// A deposed process ends the turn of another.
    ReleasesAnyEpoch: Fencing | OneDeliverer,
    /// Every process gets the turn, under the same epoch.
    LetsTwoDeliver: OneDeliverer,
    /// The standby sees renewals too late.
    DeposesWhoRuns: OneDeliverer | Validity,
    /// A deposed process can still lease.
    LeasesToTheDeposed: StoppedProcess | OneDeliverer,
    /// As an advisory lock: a stopped process keeps it, and only the end of the process ends it.
    KeepsTheLockWhileStopped: StoppedProcess,
    /// A killed process keeps the turn for ever.
    NeverTakesOver: Takeover,
    /// A standby notices a release as late as a kill.
    IgnoresReleases: Takeover,
    /// Requests may begin for longer than a standby waits.
    PromisesTooLong: Validity,
    /// Leases last until the process ends, although another process may take over before.
    PromisesForEver: Validity,
    /// Reads on by id alone, and so misses late commits with lower ids.
    ReadsWithoutGaps: LateCommit,
    /// Reads again from the start after a takeover, in the order of the ids.
    ForgetsTheCursor: Collisions | SameBytes | Operators | OneDeliverer,
    /// Lets the engine forget a second that the event of an open transaction may have.
    ForgetsOpenTransactions: Collisions,
    CountsByThreeQueries: Counts,
    /// Each process returns its last count for a while.
    CountsOnceInAWhile: Counts,
    AcceptsOneByOne: Acceptance,
    /// Each process assigns ids by itself.
    RepeatsIds: Acceptance | OneDeliverer,
    ShowsOpenTransactions: Acceptance | Counts,
    /// Only the process that delivers can redrive.
    RedrivesForItself: Redrive,
    /// Only the process that delivers can bury.
    BuriesForItself: Operators,
    /// Returns the number of letters that it read, although another operator has taken some
    /// meanwhile.
    PurgesWhatItHasRead: Operators,
    /// The settlement of a buried event counts.
    SettlesTheBuried: Operators,
    /// An engine never learns of contacts erased during its turn.
    ForgetsTombstones: Operators,
    ForgetsHeldSlots: Collisions,
    ForgetsUsedSlots: Collisions,
    /// Events leased at a kill are never leased again.
    KeepsLeases: Delivery | LateCommit | Redrive | Acceptance,
}
