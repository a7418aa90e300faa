//! Other crates' types as values, each under the feature named after its crate.

#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
macro_rules! date {
    ($([$($generics:tt)*] $type:ty: $time:ident => $seconds:expr;)*) => {$(
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
                $crate::Timestamp::from_unix_seconds($seconds)
            }
        }
    )*};
}

#[cfg(feature = "chrono")]
date! {
    [Tz: chrono::TimeZone] chrono::DateTime<Tz>: time => time.timestamp();
}

#[cfg(feature = "jiff")]
date! {
    [] jiff::Timestamp: time => time.as_nanosecond().div_euclid(1_000_000_000) as i64;
    [] jiff::Zoned: time => time.timestamp().as_nanosecond().div_euclid(1_000_000_000) as i64;
}

#[cfg(feature = "time")]
date! {
    [] time::OffsetDateTime: time => time.unix_timestamp();
    [] time::UtcDateTime: time => time.unix_timestamp();
}

#[cfg(feature = "rust_decimal")]
impl super::MetadataValue for rust_decimal::Decimal {
    type Kind = super::kind::Number;

    fn encode(
        &self,
        encoder: super::ValueEncoder<'_, super::kind::Number>,
    ) -> Result<super::Written, super::ValueError> {
        encoder.digits(self)
    }
}

#[cfg(feature = "url")]
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
impl super::MetadataValue for uuid::Uuid {
    type Kind = super::kind::Text;

    fn encode(
        &self,
        encoder: super::ValueEncoder<'_, super::kind::Text>,
    ) -> Result<super::Written, super::ValueError> {
        encoder.text(self.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
    }
}
