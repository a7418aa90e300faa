//! Values of other crates' types, each under the feature named after its crate.

#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
macro_rules! date {
    ($([$($generics:tt)*] $type:ty: $time:ident => $seconds:expr;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> $crate::value::MetadataValue for $type {
            type Kind = $crate::value::kind::Date;

            fn encode(
                &self,
                encoder: $crate::value::ValueEncoder<'_, $crate::value::kind::Date>,
            ) -> Result<$crate::value::Written, $crate::value::ValueError> {
                encoder.timestamp($crate::value::ToTimestamp::to_timestamp(self))
            }
        }

        impl<$($generics)*> $crate::value::ToTimestamp for $type {
            fn to_timestamp(&self) -> $crate::Timestamp {
                let $time = self;
                $crate::Timestamp::of_typed($seconds)
            }
        }
    )*};
}

/// Days without a time: their midnight in UTC. They are no `ToTimestamp`: all events of a day would
/// share one second, and Intercom would ignore all but the first as duplicates.
#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
macro_rules! day {
    ($type:ty: $day:ident => $seconds:expr) => {
        #[diagnostic::do_not_recommend]
        impl $crate::value::MetadataValue for $type {
            type Kind = $crate::value::kind::Date;

            fn encode(
                &self,
                encoder: $crate::value::ValueEncoder<'_, $crate::value::kind::Date>,
            ) -> Result<$crate::value::Written, $crate::value::ValueError> {
                let $day = self;
                encoder.timestamp($crate::Timestamp::of_typed($seconds))
            }
        }
    };
}

/// Durations: seconds, and nanoseconds of the same sign.
#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
macro_rules! duration {
    ($type:ty: $duration:ident => ($seconds:expr, $nanoseconds:expr)) => {
        #[diagnostic::do_not_recommend]
        impl $crate::value::MetadataValue for $type {
            type Kind = $crate::value::kind::Number;

            fn encode(
                &self,
                encoder: $crate::value::ValueEncoder<'_, $crate::value::kind::Number>,
            ) -> Result<$crate::value::Written, $crate::value::ValueError> {
                let $duration = self;
                match ($seconds, $nanoseconds) {
                    (seconds, 0) => encoder.signed(seconds),
                    (seconds, nanoseconds) => {
                        encoder.float(seconds as f64 + f64::from(nanoseconds) / 1e9)
                    }
                }
            }
        }
    };
}

#[cfg(feature = "chrono")]
mod chrono {
    use ::chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone};

    date! {
        [Tz: TimeZone] DateTime<Tz>: time => time.timestamp();
    }
    day!(NaiveDate: day => day.and_time(NaiveTime::MIN).and_utc().timestamp());
    duration!(TimeDelta: duration => (duration.num_seconds(), duration.subsec_nanos()));
}

#[cfg(feature = "jiff")]
mod jiff {
    use ::jiff::civil::{Date, date};
    use ::jiff::{SignedDuration, Timestamp, Zoned};

    date! {
        [] Timestamp: time => time.as_nanosecond().div_euclid(1_000_000_000) as i64;
        [] Zoned: time => time.timestamp().as_nanosecond().div_euclid(1_000_000_000) as i64;
    }
    day!(Date: day => day.duration_since(date(1970, 1, 1)).as_secs());
    duration!(SignedDuration: duration => (duration.as_secs(), duration.subsec_nanos()));
}

#[cfg(feature = "time")]
mod time {
    use ::time::{Date, Duration, OffsetDateTime, UtcDateTime};

    date! {
        [] OffsetDateTime: time => time.unix_timestamp();
        [] UtcDateTime: time => time.unix_timestamp();
    }
    day!(Date: day => day.midnight().assume_utc().unix_timestamp());
    duration!(Duration: duration => (duration.whole_seconds(), duration.subsec_nanoseconds()));
}

#[cfg(feature = "rust_decimal")]
#[diagnostic::do_not_recommend]
impl super::MetadataValue for rust_decimal::Decimal {
    type Kind = super::kind::Number;

    fn encode(
        &self,
        encoder: super::ValueEncoder<'_, super::kind::Number>,
    ) -> Result<super::Written, super::ValueError> {
        if *self > u64::MAX.into() || *self < i64::MIN.into() {
            return Err(super::ValueError::TooLarge);
        }
        encoder.digits(self)
    }
}

#[cfg(feature = "url")]
#[diagnostic::do_not_recommend]
impl super::MetadataValue for url::Url {
    type Kind = super::kind::Link;

    fn encode(
        &self,
        encoder: super::ValueEncoder<'_, super::kind::Link>,
    ) -> Result<super::Written, super::ValueError> {
        encoder.link(self.as_str())
    }
}

#[cfg(feature = "uuid")]
#[diagnostic::do_not_recommend]
impl super::MetadataValue for uuid::Uuid {
    type Kind = super::kind::Text;

    fn encode(
        &self,
        encoder: super::ValueEncoder<'_, super::kind::Text>,
    ) -> Result<super::Written, super::ValueError> {
        encoder.text(self.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
    }
}
