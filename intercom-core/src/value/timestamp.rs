//! Dates: a Unix second, as Intercom keeps time.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{MetadataValue, ValueEncoder, ValueError, Written, kind};
use crate::rules::MAX_UNIX_SECONDS;

/// A moment in whole Unix seconds, UTC: what Intercom keeps of every date and of `created_at`.
///
/// Conversions round down to the second, so that a timestamp is never later than its source.
///
/// ```
/// use intercom_core::Timestamp;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
/// assert_eq!(Timestamp::from(time), Timestamp::from_unix_seconds(1_700_000_000));
/// ```
#[derive(Clone, Copy)]
pub struct Timestamp {
    seconds: i64,
    /// Whether the time was a bare number, which may be milliseconds by mistake. Comparisons ignore
    /// this.
    is_bare: bool,
}

impl Timestamp {
    /// Returns the current second.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Creates a moment from the seconds since 1970-01-01T00:00:00Z, negative before it.
    ///
    /// `send` refuses a number that must be milliseconds: one of over 100,000,000,000 (the year
    /// 5138), or below its negative.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Timestamp { seconds, is_bare: true }
    }

    /// Creates a moment from a typed time, which cannot be milliseconds.
    pub(crate) const fn of_typed(seconds: i64) -> Self {
        Timestamp { seconds, is_bare: false }
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z.
    pub const fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// Returns whether this was a bare number so large that it must be milliseconds.
    pub(crate) const fn is_in_milliseconds(self) -> bool {
        self.is_bare && self.seconds.unsigned_abs() > MAX_UNIX_SECONDS.unsigned_abs()
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.seconds).finish()
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.seconds == other.seconds
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        self.seconds.cmp(&other.seconds)
    }
}

impl Hash for Timestamp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seconds.hash(state);
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let seconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            Err(error) => {
                let before = error.duration();
                let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                -whole - i64::from(before.subsec_nanos() > 0)
            }
        };
        Timestamp::of_typed(seconds)
    }
}

#[diagnostic::do_not_recommend]
impl MetadataValue for Timestamp {
    type Kind = kind::Date;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Date>) -> Result<Written, ValueError> {
        encoder.timestamp(*self)
    }
}

#[diagnostic::do_not_recommend]
impl MetadataValue for SystemTime {
    type Kind = kind::Date;

    #[inline]
    fn encode(&self, encoder: ValueEncoder<'_, kind::Date>) -> Result<Written, ValueError> {
        encoder.timestamp((*self).into())
    }
}

/// A type that can be the time of an event: [`Timestamp`] or [`SystemTime`]. The features `jiff`,
/// `chrono` and `time` add those crates' types for a moment, such as `chrono::DateTime`. A calendar
/// date without a time of day cannot be the time of an event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the time of an event",
    label = "not a time",
    note = "a time is a `Timestamp`, a `SystemTime`, or, with the feature of that name in `intercom-core`, a `jiff::Timestamp`, `jiff::Zoned`, `chrono::DateTime`, `time::OffsetDateTime` or `time::UtcDateTime`",
    note = "a bare number could be seconds or milliseconds: `Timestamp::from_unix_seconds(…)` makes a time of Unix seconds",
    note = "implement `intercom_core::ToTimestamp` for a time type of your own"
)]
pub trait ToTimestamp {
    /// Returns the time, in whole seconds.
    fn to_timestamp(&self) -> Timestamp;
}

impl ToTimestamp for Timestamp {
    fn to_timestamp(&self) -> Timestamp {
        *self
    }
}

impl ToTimestamp for SystemTime {
    fn to_timestamp(&self) -> Timestamp {
        (*self).into()
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<T: ToTimestamp + ?Sized> ToTimestamp for $pointer {
            fn to_timestamp(&self) -> Timestamp {
                T::to_timestamp(self)
            }
        }
    )*};
}
pointers!(&T, Box<T>, std::rc::Rc<T>, std::sync::Arc<T>);
