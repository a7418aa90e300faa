//! Writes the few JSON tokens of a body. `serde_json` escapes text and formats numbers.

use std::fmt::Display;

const INFALLIBLE: &str = "writing text or a number to memory cannot fail";

#[inline]
pub(crate) fn text(buffer: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(buffer, text).expect(INFALLIBLE);
}

/// Numbers that JSON can hold: callers have refused `NaN` and infinities.
pub(crate) trait Number: Copy {
    fn write(self, buffer: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Number for $number {
            #[inline]
            fn write(self, buffer: &mut Vec<u8>) {
                serde_json::to_writer(buffer, &self).expect(INFALLIBLE);
            }
        }
    )*};
}
numbers!(i64 u64 f32 f64);

#[inline]
pub(crate) fn number(buffer: &mut Vec<u8>, number: impl Number) {
    number.write(buffer);
}

/// Writes the value's `Display` text as a JSON string. The value's `Display` must not fail.
pub(crate) fn display(buffer: &mut Vec<u8>, value: &impl Display) {
    serde_json::to_writer(buffer, &format_args!("{value}")).expect(INFALLIBLE);
}
