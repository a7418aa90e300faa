//! The faults, and which promise each breaks.

use intercom_delivery::conformance::many::Promise;

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $fault:ident: $($promise:ident)|+,)*) => {
        /// What a store does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($(#[doc = $doc])* $fault,)*
        }

        /// Each fault, and the promises of which one is reported as broken.
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
    /// Whoever asks is given the turn, under the same epoch.
    LetsTwoDeliver: OneDeliverer,
    /// What the standby sees of a renewal comes too late.
    DeposesWhoRuns: OneDeliverer,
    /// A deposed process goes on leasing.
    LeasesToTheDeposed: StoppedProcess | OneDeliverer,
    /// As an advisory lock: it ends with its process, and a stopped process keeps it.
    KeepsTheLockWhileStopped: StoppedProcess,
    /// A process that was killed keeps the turn for ever.
    NeverTakesOver: Takeover,
    /// A release is seen as late as a kill.
    IgnoresReleases: Takeover,
    /// Requests may begin for longer than a standby waits.
    PromisesTooLong: Validity,
    /// What is leased lasts until the process ends, though another may take over before.
    PromisesForEver: Validity,
    /// Reads on by id alone: what is committed late has a lower id than what was read.
    ReadsWithoutGaps: LateCommit,
    /// Begins to read anew after a takeover, in the order of the ids.
    ForgetsTheCursor: Collisions | SameBytes | Operators,
    CountsByThreeQueries: Counts,
    /// Each process counts what it has seen last.
    CountsOnceInAWhile: Counts,
    AcceptsOneByOne: Acceptance,
    /// Each process numbers its events by itself.
    RepeatsIds: Acceptance | OneDeliverer,
    ShowsOpenTransactions: Acceptance | Counts,
    /// Only the process that delivers can redrive.
    RedrivesForItself: Redrive,
    /// Only the process that delivers can bury.
    BuriesForItself: Operators,
    /// Says how many letters there were, though another operator has taken some meanwhile.
    PurgesWhatItHasRead: Operators,
    /// The settlement of a buried event counts.
    SettlesTheBuried: Operators,
    /// An engine never hears of contacts that were erased during its turn.
    ForgetsTombstones: Operators,
    ForgetsHeldSlots: Collisions,
    ForgetsUsedSlots: Collisions,
    /// What was leased when a process was killed is never leased again.
    KeepsLeases: Delivery | LateCommit | Redrive | Acceptance,
}
