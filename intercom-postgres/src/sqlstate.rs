//! The SQLSTATEs that `intercom.accept` raises.

/// A body is no event: the message says which, and what it lacks.
pub const INVALID_BODY: &str = "IC001";

/// A body has more than 64 KiB.
pub const BODY_TOO_LARGE: &str = "IC002";

/// The outbox holds as many events as it may. Later there may be room.
pub const FULL: &str = "IC003";

/// These are more events at once than the outbox may ever hold.
pub const EXCEEDS_CAPACITY: &str = "IC004";
