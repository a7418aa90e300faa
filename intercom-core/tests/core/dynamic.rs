//! Events built at run time obey the rules of derived events.

use intercom_core::{
    Currency, DynamicEvent, DynamicValue, Money, Reason, RichLink, Timestamp, ValueError,
};
use intercom_core::{KeyError, NameError};
use serde_json::json;

use crate::metadata;

fn with(key: &str, value: impl DynamicValue) -> Result<String, Reason> {
    let event = DynamicEvent::new("tested").unwrap();
    match event.with(key, value) {
        Ok(event) => Ok(metadata(&event)),
        Err(error) => {
            assert_eq!((error.event_name().as_str(), error.key()), ("tested", Some(key)));
            Err(error.reason().clone())
        }
    }
}

#[test]
fn names() {
    let mistake = |name: &str| DynamicEvent::new(name).unwrap_err();
    for name in ["project_created", "Product Viewed", "updated-plan", "été", "a\"b"] {
        DynamicEvent::new(name).unwrap();
    }
    for name in ["", " ", "\t\u{a0}"] {
        assert_eq!(mistake(name).reason(), &Reason::Name(NameError::Blank));
    }
    assert_eq!(mistake(" a").reason(), &Reason::Name(NameError::Padded));
    assert_eq!(mistake("a\n").reason(), &Reason::Name(NameError::Padded));
    assert_eq!(mistake("a\nb").to_string().lines().count(), 1);
    assert_eq!(mistake("a.b").reason(), &Reason::Name(NameError::Rewritten('.')));
    assert_eq!(mistake("a$b").reason(), &Reason::Name(NameError::Rewritten('$')));
    assert_eq!(mistake("a\0").reason(), &Reason::Name(NameError::InvisibleCharacter('\0')));
    assert_eq!(*mistake("a.b").event_name(), *"a.b");
    for c in ['\u{200B}', '\u{FEFF}', '\u{202E}', '\u{AD}', '\u{FE0F}'] {
        assert_eq!(
            mistake(&c.to_string()).reason(),
            &Reason::Name(NameError::InvisibleCharacter(c))
        );
        assert_eq!(
            mistake(&format!("a{c}b")).reason(),
            &Reason::Name(NameError::InvisibleCharacter(c))
        );
        assert_eq!(with(&format!("a{c}b"), 1), Err(KeyError::Forbidden(c).into()));
    }
    DynamicEvent::new("é".repeat(255)).unwrap().with("é".repeat(255), 1).unwrap();
    let long = "é".repeat(256);
    assert_eq!(mistake(&long).reason(), &Reason::Name(NameError::TooLong { chars: 256 }));
    assert_eq!(with(&long, 1), Err(KeyError::TooLong { chars: 256 }.into()));
}

#[test]
fn keys() {
    for key in ["a", "Project Name", "plan-2", "名前", "a:b", "(a)", "_"] {
        assert_eq!(with(key, 1), Ok(format!("{{\"{key}\":1}}")));
    }
    for c in ".$~`!@#%^&*'\"{}|\\\0\n\u{7f}".chars() {
        assert_eq!(with(&format!("a{c}b"), 1), Err(KeyError::Forbidden(c).into()));
    }
    for key in ["type", "Type", "TYPE"] {
        assert_eq!(with(key, 1), Err(KeyError::Reserved.into()));
    }
    assert_eq!(with(" ", 1), Err(KeyError::Blank.into()));
    assert_eq!(with("due_date ", 1), Err(KeyError::Padded.into()));
    let forged = DynamicEvent::new("tested").unwrap().with("a\nb", 1).unwrap_err();
    assert_eq!(forged.to_string().lines().count(), 1);
}

#[test]
fn a_key_occurs_once_in_any_case() {
    let event = DynamicEvent::new("tested").unwrap().with("Straße", 1).unwrap();
    let error = event.clone().with("STRAßE", 2).unwrap_err();
    assert_eq!(error.reason(), &Reason::Key(KeyError::Duplicate));
    assert_eq!(metadata(&event), r#"{"Straße":1}"#);
}

/// An accented letter is one character, or a letter and a combining accent. Both look the same.
#[test]
fn a_key_occurs_once_in_any_spelling_of_accents() {
    let event = DynamicEvent::new("tested").unwrap().with("caf\u{e9}", 1).unwrap();
    for twin in ["cafe\u{301}", "CAFE\u{301}", "CAF\u{c9}"] {
        let error = event.clone().with(twin, 2).unwrap_err();
        assert_eq!(error.reason(), &Reason::Key(KeyError::Duplicate), "{twin}");
    }
    event.with("cafe", 2).unwrap();
}

#[test]
fn ten_keys_are_allowed_or_max_keys() {
    let fill = |mut event: DynamicEvent, count: usize| {
        for i in 0..count {
            event = event.with(format!("key_{i}"), i)?;
        }
        Ok::<_, intercom_core::InvalidEvent>(event)
    };
    let event = || DynamicEvent::new("tested").unwrap();
    fill(event(), 10).unwrap();
    assert_eq!(
        fill(event(), 11).unwrap_err().reason(),
        &Reason::Key(KeyError::TooMany { max: 10 })
    );
    fill(event().max_keys(20).unwrap(), 20).unwrap();
    assert_eq!(
        fill(event().max_keys(12).unwrap(), 13).unwrap_err().reason(),
        &Reason::Key(KeyError::TooMany { max: 12 })
    );
    for max in [0, 10, 21] {
        let error = event().max_keys(max).unwrap_err();
        assert_eq!(error.reason(), &Reason::Key(KeyError::LimitOutOfRange(max)));
    }
    // An absent value does not count as a key.
    fill(event(), 10).unwrap().with("absent", None::<u8>).unwrap();
}

#[test]
fn values_follow_the_rules_of_derived_events() {
    assert_eq!(with("a", 7), Ok(r#"{"a":7}"#.into()));
    assert_eq!(with("a", "text"), Ok(r#"{"a":"text"}"#.into()));
    assert_eq!(with("a", None::<&str>), Ok(String::new()));
    assert_eq!(
        with("a", Money::new(5, Currency::EUR)),
        Ok(r#"{"a":{"amount":5,"currency":"eur"}}"#.into())
    );
    assert_eq!(with("a", f64::NAN), Err(ValueError::NotFinite.into()));
    assert_eq!(with("a", "a".repeat(256)), Err(ValueError::TooLong { chars: 256 }.into()));
    assert_eq!(with("a", RichLink::new("", "")), Err(ValueError::InvalidLink.into()));
}

/// The JSON parser has rounded them already.
#[test]
fn whole_numbers_of_json_beyond_64_bits_are_refused() {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    for text in ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"] {
        assert_eq!(with("a", read(text)), Err(ValueError::TooLarge.into()), "{text}");
        let money = format!(r#"{{"amount":{text},"currency":"eur"}}"#);
        assert_eq!(with("a", read(&money)), Err(ValueError::TooLarge.into()), "{text}");
    }
    for text in ["18446744073709551615", "-9223372036854775808", "0.1", "-1e18", "1e-300"] {
        let sent = with("a", read(text)).unwrap();
        assert_eq!(read(&sent)["a"], read(text), "{text}");
    }
}

#[test]
fn a_date_needs_a_key_with_its_suffix() {
    let time = Timestamp::from_unix_seconds(5);
    for key in ["due_date", "Due_Date", "_date"] {
        assert_eq!(with(key, time), Ok(format!("{{\"{key}\":5}}")));
        assert_eq!(with(key, 5), Err(ValueError::NotADate.into()));
        assert_eq!(with(key, "5"), Err(ValueError::NotADate.into()));
        assert_eq!(with(key, json!(5)), Ok(format!("{{\"{key}\":5}}")));
        assert_eq!(with(key, json!(5.5)), Err(ValueError::NotADate.into()));
        assert_eq!(with(key, json!("5")), Err(ValueError::NotADate.into()));
    }
    assert_eq!(with("due", time), Err(ValueError::DateWithoutSuffix.into()));
    let milliseconds = 1_700_000_000_000_i64;
    assert_eq!(with("due_date", json!(milliseconds)), Err(ValueError::Milliseconds.into()));
}

#[test]
fn stripe_ids_are_text() {
    assert_eq!(with("stripe_customer", "cus_1"), Ok(r#"{"stripe_customer":"cus_1"}"#.into()));
    assert_eq!(with("Stripe_Invoice", 7), Err(ValueError::NotAStripeId.into()));
    assert_eq!(with("stripe_charge", json!(7)), Err(ValueError::NotAStripeId.into()));
}

#[test]
fn json_of_an_allowed_shape_is_a_value() {
    for (value, wire) in [
        (json!("text"), r#""text""#),
        (json!(-7), "-7"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(1.5), "1.5"),
        (json!(true), "true"),
        (json!({"value": "text", "url": "https://a.b"}), r#"{"url":"https://a.b","value":"text"}"#),
        (json!({"currency": "EUR", "amount": 5}), r#"{"amount":5,"currency":"eur"}"#),
    ] {
        assert_eq!(with("a", &value), Ok(format!("{{\"a\":{wire}}}")));
        assert_eq!(with("a", value), Ok(format!("{{\"a\":{wire}}}")));
    }
    assert_eq!(with("a", json!(null)), Ok(String::new()));
}

#[test]
fn json_of_another_shape_is_refused() {
    for value in [
        json!([]),
        json!([1]),
        json!({}),
        json!({"a": 1}),
        json!({"url": "https://a.b"}),
        json!({"url": "https://a.b", "value": 1}),
        json!({"url": "https://a.b", "value": "text", "more": 1}),
        json!({"amount": "5", "currency": "eur"}),
        json!({"amount": 5, "currency": "eur", "url": "https://a.b"}),
    ] {
        assert_eq!(with("a", &value), Err(ValueError::Nested.into()), "{value}");
    }
    let mistake = |value| with("a", value).unwrap_err();
    assert_eq!(
        mistake(json!({"amount": 5.5, "currency": "eur"})),
        ValueError::FractionalAmount.into()
    );
    assert_eq!(
        mistake(json!({"amount": 5, "currency": "euro"})),
        ValueError::InvalidCurrency.into()
    );
    assert_eq!(mistake(json!({"url": "a.b", "value": ""})), ValueError::InvalidLink.into());
}

#[test]
fn debug_shows_keys_and_no_values() {
    let event = DynamicEvent::new("tested").unwrap().with("colour", "chartreuse").unwrap();
    let shown = format!("{event:?}");
    assert!(shown.contains("tested") && shown.contains("colour"));
    assert!(!shown.contains("chartreuse"));
}
