//! Amounts of money from decimals in major units: exact or refused.

use intercom_core::value::MoneyError;
use intercom_core::{Currency, Money};
use rust_decimal::Decimal;

#[test]
fn a_decimal_in_major_units_is_exact() {
    for (text, currency, minor_units) in [
        ("349.99", Currency::EUR, 34_999),
        ("349.9", Currency::EUR, 34_990),
        ("349", Currency::EUR, 34_900),
        ("0349.9900000000000000000000000000000000", Currency::EUR, 34_999),
        ("+0.01", Currency::EUR, 1),
        ("-0.01", Currency::EUR, -1),
        ("-0", Currency::EUR, 0),
        ("500", Currency::JPY, 500),
        ("500.00", Currency::JPY, 500),
        ("1.234", Currency::TND, 1_234),
        ("0.0001", Currency::CLF, 1),
        ("92233720368547758.07", Currency::USD, i64::MAX),
        ("-92233720368547758.08", Currency::USD, i64::MIN),
    ] {
        assert_eq!(
            Money::from_major(text, currency),
            Ok(Money::new(minor_units, currency)),
            "{text}"
        );
        let decimal: Decimal = text.parse().unwrap();
        assert_eq!(Money::from_decimal(decimal, currency), Ok(Money::new(minor_units, currency)));
    }
}

#[test]
fn an_amount_with_a_fraction_of_a_minor_unit_is_refused() {
    let inexact = |currency, digits| MoneyError::Inexact { currency, digits };
    for (text, currency, error) in [
        ("0.005", Currency::EUR, inexact(Currency::EUR, 2)),
        ("-0.50", Currency::JPY, inexact(Currency::JPY, 0)),
        ("92233720368547758.08", Currency::USD, MoneyError::TooLarge),
        ("1", Currency::XAU, MoneyError::NoMinorUnit { currency: Currency::XAU }),
    ] {
        assert_eq!(Money::from_major(text, currency), Err(error), "{text}");
        assert_eq!(Money::from_decimal(text.parse().unwrap(), currency), Err(error), "{text}");
    }
    for text in [
        "", "-", ".", ".5", "5.", "1,50", "1_000", "1e3", " 1", "--1", "+-1", "1.-5", "€1", "١",
        "NaN",
    ] {
        assert_eq!(Money::from_major(text, Currency::EUR), Err(MoneyError::NotADecimal), "{text}");
    }
}

#[test]
fn the_errors_say_what_to_do_and_not_the_amount() {
    let error = Money::from_major("12.345", Currency::EUR).unwrap_err();
    let sentence =
        "EUR is counted to 2 decimal digits, and the amount has more; round the amount first";
    assert_eq!((error.to_string(), format!("{error:?}")), (sentence.into(), sentence.into()));
}
