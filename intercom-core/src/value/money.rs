//! Amounts of money.

use super::{Currency, MetadataValue, ValueEncoder, ValueError, Written, kind};

/// An amount of money: a whole number of its currency's minor unit, never a float.
///
/// ```
/// use intercom_core::{Currency, Money};
///
/// let price = Money::new(34_999, Currency::EUR); // €349.99
/// assert_eq!(price.currency().minor_unit_digits(), Some(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    amount: i64,
    currency: Currency,
}

impl Money {
    /// So many minor units of a currency: cents of a euro, whole yen, thousandths of a dinar.
    pub const fn new(minor_units: i64, currency: Currency) -> Self {
        Money { amount: minor_units, currency }
    }

    /// How many minor units.
    pub const fn amount(self) -> i64 {
        self.amount
    }

    /// Of which currency.
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
