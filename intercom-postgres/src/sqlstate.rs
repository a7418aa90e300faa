//! The SQLSTATEs that `intercom.accept` raises.

/// A body is not an event, or `sensitive` does not have one JSON array or NULL for each body. The
/// message says which body, and what is wrong.
pub const INVALID_BODY: &str = "IC001";

/// A body has more than 64 KiB.
pub const BODY_TOO_LARGE: &str = "IC002";

/// The outbox is full. There may be room later.
pub const FULL: &str = "IC003";

/// One call brings more events than the outbox can ever hold.
pub const EXCEEDS_CAPACITY: &str = "IC004";
