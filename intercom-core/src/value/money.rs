//! Amounts of money.

use std::fmt;

use super::{Currency, MetadataValue, ValueEncoder, ValueError, Written, kind};

/// An amount of money: a whole number of its currency's minor unit, never a float.
///
/// ```
/// use intercom_core::{Currency, Money};
///
/// let price = Money::new(34_999, Currency::EUR); // €349.99
/// assert_eq!(price.currency().minor_unit_digits(), Some(2));
/// assert_eq!(Money::from_major("349.99", Currency::EUR), Ok(price));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    amount: i64,
    currency: Currency,
}

impl Money {
    /// Creates an amount of minor units: cents of a euro, whole yen, thousandths of a dinar.
    pub const fn new(minor_units: i64, currency: Currency) -> Self {
        Money { amount: minor_units, currency }
    }

    /// Creates an amount from major units, such as `349.99` euros, exactly.
    ///
    /// The text is an optional sign, digits, and an optional point with a fraction. Decimal types
    /// produce such a text with `to_string`. With the feature `rust_decimal`, `Money::from_decimal`
    /// takes that crate's type.
    ///
    /// ```
    /// use intercom_core::value::MoneyError;
    /// use intercom_core::{Currency, Money};
    ///
    /// assert_eq!(Money::from_major("1.5", Currency::USD), Ok(Money::new(150, Currency::USD)));
    /// assert_eq!(Money::from_major("500", Currency::JPY), Ok(Money::new(500, Currency::JPY)));
    ///
    /// let error = Money::from_major("0.005", Currency::USD).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "USD is counted to 2 decimal digits, and the amount has more; round the amount first",
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the text is not a decimal number. Fails when the amount is not a whole number of
    /// minor units, or does not fit 64 bits. Fails when the currency has no minor unit, such as
    /// gold.
    pub fn from_major(amount: &str, currency: Currency) -> Result<Self, MoneyError> {
        let digits = currency.minor_unit_digits().ok_or(MoneyError::NoMinorUnit { currency })?;
        let unsigned = amount.strip_prefix(['-', '+']).unwrap_or(amount);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return Err(MoneyError::NotADecimal),
            None => (unsigned, ""),
        };
        if !is_digits(whole) {
            return Err(MoneyError::NotADecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > usize::from(digits) {
            return Err(MoneyError::Inexact { currency, digits });
        }
        let sign = if amount.starts_with('-') { "-" } else { "" };
        let minor_units = format!("{sign}{whole}{fraction:0<width$}", width = usize::from(digits));
        match minor_units.parse() {
            Ok(minor_units) => Ok(Money::new(minor_units, currency)),
            Err(_) => Err(MoneyError::TooLarge),
        }
    }

    /// Creates an amount from major units, as [`from_major`](Self::from_major) does.
    ///
    /// # Errors
    ///
    /// Fails as [`from_major`](Self::from_major) does.
    #[cfg(feature = "rust_decimal")]
    pub fn from_decimal(
        amount: rust_decimal::Decimal,
        currency: Currency,
    ) -> Result<Self, MoneyError> {
        Money::from_major(&amount.to_string(), currency)
    }

    /// Returns the number of minor units.
    pub const fn amount(self) -> i64 {
        self.amount
    }

    /// Returns the currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

#[diagnostic::do_not_recommend]
impl MetadataValue for Money {
    type Kind = kind::Money;

    fn encode(&self, encoder: ValueEncoder<'_, kind::Money>) -> Result<Written, ValueError> {
        encoder.money(*self)
    }
}

/// The reason that an amount in major units is no [`Money`]. The error never holds the amount.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// The text is not a decimal number.
    #[error(
        "the amount is not a decimal number, such as `349.99`; write digits, and a point before the fraction"
    )]
    NotADecimal,
    /// The amount is not a whole number of the currency's minor units.
    #[error(
        "{currency} is counted to {digits} decimal digits, and the amount has more; round the amount first"
    )]
    Inexact {
        /// The currency.
        currency: Currency,
        /// The number of decimal digits of its minor unit.
        digits: u8,
    },
    /// The amount does not fit 64 bits.
    #[error("the amount in minor units does not fit 64 bits")]
    TooLarge,
    /// The currency has no minor unit, such as gold.
    #[error("{currency} has no minor unit in which an amount could be counted")]
    NoMinorUnit {
        /// The currency.
        currency: Currency,
    },
}

/// A `main` that returns this error prints its `Debug`, so `Debug` is the error's sentence.
impl fmt::Debug for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
