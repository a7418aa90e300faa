//! Writes one value, with the methods that the value's kind allows.

use std::cell::Cell;
use std::fmt::{self, Display, Write as _};
use std::marker::PhantomData;

use super::{Money, Timestamp, ValueError, kind, link};
use crate::json;
use crate::rules::MAX_TEXT_CHARS;

/// Writes one value of the kind `K`.
///
/// Each method consumes the encoder, so that a value type writes exactly one value.
#[derive(Debug)]
pub struct ValueEncoder<'a, K> {
    buffer: &'a mut Vec<u8>,
    truncate: bool,
    kind: PhantomData<fn() -> K>,
}

/// Proof that a [`ValueEncoder`] was used.
#[derive(Debug)]
pub struct Written(());

const WRITTEN: Result<Written, ValueError> = Ok(Written(()));

impl<'a, K> ValueEncoder<'a, K> {
    #[inline]
    pub(crate) fn new(buffer: &'a mut Vec<u8>, truncate: bool) -> Self {
        Self { buffer, truncate, kind: PhantomData }
    }

    /// Omits the value and its key.
    ///
    /// # Errors
    ///
    /// Never fails. It returns a `Result` as the other methods do.
    #[inline]
    pub fn absent(self) -> Result<Written, ValueError> {
        WRITTEN
    }
}

impl ValueEncoder<'_, kind::Text> {
    /// Writes a text.
    ///
    /// # Errors
    ///
    /// Fails when the text has more than 255 characters, unless the field is marked `truncate`.
    #[inline]
    pub fn text(self, text: &str) -> Result<Written, ValueError> {
        let text = if self.truncate { cut(text) } else { checked(text)? };
        json::text(self.buffer, text);
        WRITTEN
    }

    /// Writes the value's `Display` text, without an intermediate `String`.
    ///
    /// # Errors
    ///
    /// Fails when the text has more than 255 characters, unless the field is marked `truncate`.
    /// Fails when the `Display` implementation fails.
    pub fn display(self, value: &(impl Display + ?Sized)) -> Result<Written, ValueError> {
        let bounded = Bounded { value, chars: Cell::new(0), failed: Cell::new(false) };
        json::display(self.buffer, &bounded);
        let chars = bounded.chars.get();
        if bounded.failed.get() {
            Err(ValueError::Display)
        } else if chars > MAX_TEXT_CHARS && !self.truncate {
            Err(ValueError::TooLong { chars })
        } else {
            WRITTEN
        }
    }
}

impl ValueEncoder<'_, kind::Number> {
    /// Writes a whole number that may be negative.
    ///
    /// # Errors
    ///
    /// Never fails. It returns a `Result` as the other methods do.
    #[inline]
    pub fn signed(self, number: i64) -> Result<Written, ValueError> {
        json::number(self.buffer, number);
        WRITTEN
    }

    /// Writes a whole number that is not negative.
    ///
    /// # Errors
    ///
    /// Never fails. It returns a `Result` as the other methods do.
    #[inline]
    pub fn unsigned(self, number: u64) -> Result<Written, ValueError> {
        json::number(self.buffer, number);
        WRITTEN
    }

    /// Writes a number with a fraction.
    ///
    /// # Errors
    ///
    /// Fails when the number is `NaN` or infinite.
    #[inline]
    pub fn float(self, number: f64) -> Result<Written, ValueError> {
        if !number.is_finite() {
            return Err(ValueError::NotFinite);
        }
        json::number(self.buffer, number);
        WRITTEN
    }

    /// Writes an `f32` as [`float`](Self::float) does, with the shortest digits that mean the same
    /// `f32`.
    ///
    /// # Errors
    ///
    /// Fails when the number is `NaN` or infinite.
    pub fn float32(self, number: f32) -> Result<Written, ValueError> {
        if !number.is_finite() {
            return Err(ValueError::NotFinite);
        }
        json::number(self.buffer, number);
        WRITTEN
    }

    /// Writes the digits of a decimal number unchanged.
    #[cfg(feature = "rust_decimal")]
    pub(crate) fn digits(self, number: impl Display) -> Result<Written, ValueError> {
        use std::io::Write as _;
        write!(self.buffer, "{number}").map_err(|_| ValueError::Display)?;
        WRITTEN
    }
}

impl ValueEncoder<'_, kind::Boolean> {
    /// Writes `true` or `false`.
    ///
    /// # Errors
    ///
    /// Never fails. It returns a `Result` as the other methods do.
    #[inline]
    pub fn boolean(self, value: bool) -> Result<Written, ValueError> {
        self.buffer.extend_from_slice(if value { b"true" } else { b"false" });
        WRITTEN
    }
}

impl ValueEncoder<'_, kind::Date> {
    /// Writes a date, as Unix seconds.
    ///
    /// # Errors
    ///
    /// Fails when [`Timestamp::from_unix_seconds`] made the time from a number that must be
    /// milliseconds: one of over 100,000,000,000, before or after 1970.
    #[inline]
    pub fn timestamp(self, time: Timestamp) -> Result<Written, ValueError> {
        if time.is_in_milliseconds() {
            return Err(ValueError::Milliseconds);
        }
        json::number(self.buffer, time.unix_seconds());
        WRITTEN
    }
}

impl ValueEncoder<'_, kind::Link> {
    /// Writes a link.
    ///
    /// # Errors
    ///
    /// Fails when the text is not an `http` or `https` URL with a host and without spaces. Fails
    /// when it has more than 255 characters.
    pub fn link(self, url: &str) -> Result<Written, ValueError> {
        json::text(self.buffer, checked(link::checked(url)?)?);
        WRITTEN
    }
}

impl ValueEncoder<'_, kind::RichLink> {
    /// Writes a link with a label.
    ///
    /// # Errors
    ///
    /// Fails when the URL is not an `http` or `https` URL with a host and without spaces. Fails
    /// when the URL or the label has more than 255 characters.
    pub fn rich_link(self, url: &str, text: &str) -> Result<Written, ValueError> {
        let (url, text) = (checked(link::checked(url)?)?, checked(text)?);
        self.buffer.extend_from_slice(b"{\"url\":");
        json::text(self.buffer, url);
        self.buffer.extend_from_slice(b",\"value\":");
        json::text(self.buffer, text);
        self.buffer.push(b'}');
        WRITTEN
    }
}

impl ValueEncoder<'_, kind::Money> {
    /// Writes an amount of money, in the minor unit of its currency.
    ///
    /// # Errors
    ///
    /// Never fails. It returns a `Result` as the other methods do.
    pub fn money(self, money: Money) -> Result<Written, ValueError> {
        self.buffer.extend_from_slice(b"{\"amount\":");
        json::number(self.buffer, money.amount());
        self.buffer.extend_from_slice(b",\"currency\":\"");
        let code = money.currency().code().bytes();
        self.buffer.extend(code.map(|byte| byte.to_ascii_lowercase()));
        self.buffer.extend_from_slice(b"\"}");
        WRITTEN
    }
}

#[inline]
fn checked(text: &str) -> Result<&str, ValueError> {
    // A character has at least one byte, so a short text needs no count.
    if text.len() > MAX_TEXT_CHARS {
        let chars = text.chars().count();
        if chars > MAX_TEXT_CHARS {
            return Err(ValueError::TooLong { chars });
        }
    }
    Ok(text)
}

fn cut(text: &str) -> &str {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Shows the first 255 characters of a value, and counts all of them. It remembers a failure
/// instead of returning it, because `serde_json` panics on an error without an I/O error behind it.
struct Bounded<'a, T: ?Sized> {
    value: &'a T,
    chars: Cell<usize>,
    failed: Cell<bool>,
}

impl<T: Display + ?Sized> Display for Bounded<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = write!(BoundedWriter { out: f, chars: &self.chars }, "{}", self.value);
        self.failed.set(shown.is_err());
        Ok(())
    }
}

struct BoundedWriter<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    chars: &'a Cell<usize>,
}

impl fmt::Write for BoundedWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let before = self.chars.get();
        self.chars.set(before + text.chars().count());
        match text.char_indices().nth(MAX_TEXT_CHARS.saturating_sub(before)) {
            Some((end, _)) => self.out.write_str(&text[..end]),
            None => self.out.write_str(text),
        }
    }
}
