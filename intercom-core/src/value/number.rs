//! Numbers as values.

use std::num::NonZero;
use std::time::Duration;

use super::{MetadataValue, ValueEncoder, ValueError, Written, kind};

macro_rules! number {
    ($($type:ty: |$encoder:ident, $number:ident| $write:expr;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl MetadataValue for $type {
            type Kind = kind::Number;

            #[inline]
            fn encode(&self, $encoder: ValueEncoder<'_, kind::Number>) -> Result<Written, ValueError> {
                let $number = *self;
                $write
            }
        }
    )*};
}

number! {
    i8: |encoder, number| encoder.signed(number.into());
    i16: |encoder, number| encoder.signed(number.into());
    i32: |encoder, number| encoder.signed(number.into());
    i64: |encoder, number| encoder.signed(number);
    isize: |encoder, number| encoder.signed(number as i64);
    u8: |encoder, number| encoder.unsigned(number.into());
    u16: |encoder, number| encoder.unsigned(number.into());
    u32: |encoder, number| encoder.unsigned(number.into());
    u64: |encoder, number| encoder.unsigned(number);
    usize: |encoder, number| encoder.unsigned(number as u64);
    u128: |encoder, number| encoder.unsigned(number.try_into().map_err(|_| ValueError::TooLarge)?);
    i128: |encoder, number| match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => encoder.signed(number),
        (_, Ok(number)) => encoder.unsigned(number),
        _ => Err(ValueError::TooLarge),
    };
    f32: |encoder, number| encoder.float32(number);
    f64: |encoder, number| encoder.float(number);
}

macro_rules! non_zero {
    ($($type:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl MetadataValue for NonZero<$type> {
            type Kind = kind::Number;

            #[inline]
            fn encode(&self, encoder: ValueEncoder<'_, kind::Number>) -> Result<Written, ValueError> {
                self.get().encode(encoder)
            }
        }
    )*};
}

non_zero!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

/// Seconds, with a fraction where there is one.
#[diagnostic::do_not_recommend]
impl MetadataValue for Duration {
    type Kind = kind::Number;

    fn encode(&self, encoder: ValueEncoder<'_, kind::Number>) -> Result<Written, ValueError> {
        if self.subsec_nanos() == 0 {
            encoder.unsigned(self.as_secs())
        } else {
            encoder.float(self.as_secs_f64())
        }
    }
}
