//! Compares the table of currencies with another table.

use std::collections::BTreeMap;

use intercom_core::Currency;
use iso_currency::IntoEnumIterator;

#[test]
fn the_table_is_that_of_iso_4217() {
    let ours: BTreeMap<_, _> = Currency::all()
        .iter()
        .map(|currency| (currency.code().to_owned(), currency.minor_unit_digits().map(u16::from)))
        .collect();
    let theirs: BTreeMap<_, _> = iso_currency::Currency::iter()
        .map(|currency| (currency.code().to_owned(), currency.exponent()))
        .collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), Currency::all().len(), "no code is listed twice");
}

#[test]
fn codes_are_found_in_any_case_and_other_texts_are_not() {
    for currency in Currency::all() {
        assert_eq!(currency.code().parse(), Ok(*currency));
        assert_eq!(currency.code().to_lowercase().parse(), Ok(*currency));
        assert_eq!(currency.to_string(), currency.code());
    }
    for text in ["", "€", "EU", "EURO", " EUR", "978"] {
        let error = text.parse::<Currency>().unwrap_err();
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}
