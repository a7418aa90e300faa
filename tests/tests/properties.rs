//! Properties of arbitrary events.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::fmt;

use intercom_core::{
    Contact, Currency, DataEvent, DynamicEvent, IntercomEvent, Money, RichLink, Timestamp,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::{Value, json};

/// The derive's rules for names and keys, to compare with the core's.
#[allow(dead_code, reason = "only the derive uses the rest")]
#[path = "../../intercom-derive/src/rules.rs"]
mod derive_rules;

/// A JSON object with all of its members in order, repeated ones too.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[derive(Clone, Debug, IntercomEvent)]
#[event(name = "everything", max_keys = 12)]
struct Everything<'a> {
    #[event(user_id)]
    user: String,
    #[event(email)]
    email: Option<&'a str>,
    text: String,
    signed: i64,
    unsigned: u64,
    float: f64,
    boolean: bool,
    maybe: Option<String>,
    some_date: Option<Timestamp>,
    price: Money,
    link: RichLink,
    #[event(truncate)]
    cut: &'a str,
    #[event(display)]
    shown: char,
    #[event(with = str::len)]
    length: &'a str,
}

/// Any text that is not blank, with quotes, escapes, surrogate pairs and control characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,12}",
        "\\PC{1,255}",
        proptest::collection::vec(any::<char>(), 1..=255).prop_map(String::from_iter),
    ]
}

fn identity() -> impl Strategy<Value = String> {
    text()
        .prop_map(|text| text.replace(derive_rules::is_unseen, "-"))
        .prop_filter("not blank", |text| !text.trim().is_empty())
}

/// An address with white space around it, or without an at sign, is refused.
fn address() -> impl Strategy<Value = String> {
    identity().prop_map(|text| text.trim().chars().take(254).chain(['@']).collect())
}

fn money() -> impl Strategy<Value = Money> {
    (any::<i64>(), proptest::sample::select(Currency::all()))
        .prop_map(|(amount, currency)| Money::new(amount, currency))
}

fn seconds() -> impl Strategy<Value = i64> {
    -100_000_000_000_i64..=100_000_000_000
}

proptest! {
    #[test]
    fn any_event_is_json_with_the_same_keys_order_and_values(
        user in identity(),
        email in proptest::option::of(address()),
        (text, maybe, cut, label) in (text(), proptest::option::of(text()), ".{0,400}", text()),
        (signed, unsigned, float) in (any::<i64>(), any::<u64>(), proptest::num::f64::NORMAL),
        (boolean, shown, date, at) in (any::<bool>(), any::<char>(), proptest::option::of(seconds()), seconds()),
        price in money(),
    ) {
        let event = Everything {
            user: user.clone(),
            email: email.as_deref(),
            text: text.clone(),
            signed,
            unsigned,
            float,
            boolean,
            maybe: maybe.clone(),
            some_date: date.map(Timestamp::from_unix_seconds),
            price,
            link: RichLink::new("https://example.com", label.clone()),
            cut: &cut,
            shown,
            length: &cut,
        };
        let contact = event.event_contact().unwrap();
        let data = DataEvent::new(&event, contact, Timestamp::from_unix_seconds(at)).unwrap();

        prop_assert_eq!(&DataEvent::from_body(data.body().clone()).unwrap(), &data);

        let Members(body) = serde_json::from_slice(data.body()).unwrap();
        let expected = [
            Some(("event_name", json!("everything"))),
            Some(("created_at", json!(at))),
            Some(("user_id", json!(user))),
            email.map(|email| ("email", json!(email))),
        ];
        let expected: Vec<_> =
            expected.into_iter().flatten().map(|(key, value)| (key.to_owned(), value)).collect();
        let (metadata, head) = body.split_last().unwrap();
        prop_assert_eq!(head, expected);
        prop_assert_eq!(&metadata.0, "metadata");

        let Members(metadata) = serde_json::from_slice(data.metadata().unwrap()).unwrap();
        let code = price.currency().code().to_lowercase();
        let expected = [
            Some(("text", json!(text))),
            Some(("signed", json!(signed))),
            Some(("unsigned", json!(unsigned))),
            Some(("float", json!(float))),
            Some(("boolean", json!(boolean))),
            maybe.map(|text| ("maybe", json!(text))),
            date.map(|seconds| ("some_date", json!(seconds))),
            Some(("price", json!({"amount": price.amount(), "currency": code}))),
            Some(("link", json!({"url": "https://example.com", "value": label}))),
            Some(("cut", json!(cut.chars().take(255).collect::<String>()))),
            Some(("shown", json!(shown))),
            Some(("length", json!(cut.len()))),
        ];
        let expected: Vec<_> =
            expected.into_iter().flatten().map(|(key, value)| (key.to_owned(), value)).collect();
        prop_assert_eq!(metadata, expected);
    }

    #[test]
    fn any_dynamic_event_is_json_with_the_same_keys_order_and_values(
        name in identity(),
        members in proptest::collection::vec((identity(), text()), 0..=10),
    ) {
        let Ok(mut event) = DynamicEvent::new(&name) else { return Ok(()) };
        let mut taken = Vec::new();
        for (key, value) in members {
            if let Ok(more) = event.clone().with(&key, &value) {
                event = more;
                taken.push((key, Value::from(value)));
            }
        }
        let data = DataEvent::new(&event, Contact::user_id(1), Timestamp::from_unix_seconds(1)).unwrap();
        prop_assert_eq!(&data.to_json()["event_name"], &Value::from(name));
        let Members(metadata) = match data.metadata() {
            Some(metadata) => serde_json::from_slice(metadata).unwrap(),
            None => Members(Vec::new()),
        };
        prop_assert_eq!(metadata, taken);
    }

    #[test]
    fn money_is_the_decimal_that_it_was_made_of(
        minor_units: i64,
        currency in proptest::sample::select(Currency::all()),
        zeros in 0_usize..4,
    ) {
        let Some(digits) = currency.minor_unit_digits() else { return Ok(()) };
        let decimal = rust_decimal::Decimal::from_i128_with_scale(minor_units.into(), digits.into());
        let money = Money::new(minor_units, currency);
        prop_assert_eq!(Money::from_decimal(decimal, currency), Ok(money));
        let point = if digits == 0 { "." } else { "" };
        let text = format!("{decimal}{}{}", if zeros == 0 { "" } else { point }, "0".repeat(zeros));
        prop_assert_eq!(Money::from_major(&text, currency), Ok(money));
        // One more digit is no whole number of minor units.
        let finer = format!("{decimal}{point}1");
        prop_assert!(Money::from_major(&finer, currency).is_err());
    }

    #[test]
    fn the_derive_and_the_core_have_the_same_rules(text in prop_oneof![text(), "[ -~]{0,4}", "(type|TYPE|a[.$])"]) {
        prop_assert_eq!(
            derive_rules::name_mistake(&text).is_none(),
            DynamicEvent::new(&text).is_ok(),
        );
        let event = DynamicEvent::new("tested").unwrap();
        let as_text = event.clone().with(&text, "value").is_ok();
        let as_number = event.clone().with(&text, 1).is_ok();
        let as_date = event.with(&text, Timestamp::from_unix_seconds(1)).is_ok();
        let allowed = derive_rules::key_mistake(&text, "").is_none();
        prop_assert_eq!(allowed, as_text || as_date);
        prop_assert_eq!(allowed && derive_rules::is_date_key(&text), as_date);
        prop_assert_eq!(as_text && derive_rules::is_stripe_key(&text), as_text && !as_number);
    }
}

#[test]
fn the_derive_and_the_core_agree_on_each_character_and_on_the_special_keys() {
    let event = || DynamicEvent::new("tested").unwrap();
    for c in (0..=0x024f).filter_map(char::from_u32) {
        let key = format!("a{c}b");
        assert_eq!(
            derive_rules::key_mistake(&key, "").is_none(),
            event().with(&key, 1).is_ok(),
            "{key:?}"
        );
        assert_eq!(
            derive_rules::name_mistake(&key).is_none(),
            DynamicEvent::new(&key).is_ok(),
            "{key:?}"
        );
    }
    for key in [
        "stripe_customer",
        "STRIPE_invoice",
        "stripe_charge",
        "stripe_customers",
        "a_date",
        "A_DATE",
        "date",
    ] {
        assert_eq!(
            derive_rules::is_date_key(key) || derive_rules::is_stripe_key(key),
            event().with(key, 1).is_err(),
            "{key}"
        );
    }
    assert_eq!(derive_rules::DEFAULT_MAX_KEYS, intercom_core::rules::DEFAULT_MAX_KEYS);
    assert_eq!(derive_rules::MAX_MAX_KEYS, intercom_core::rules::MAX_MAX_KEYS);
    assert_eq!(derive_rules::MAX_TEXT_CHARS, intercom_core::rules::MAX_TEXT_CHARS);
}
