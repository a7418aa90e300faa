//! Conditions over encoded metadata mean the same as a plain evaluation of the parsed JSON.

use std::cmp::Ordering;

use intercom_core::{Currency, DataEvent, Money, Timestamp};
use intercom_rules::{Condition, Rule, Rules, key};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A condition as plain data.
#[derive(Clone, Debug)]
enum Plain {
    Test(String, Test, bool),
    All(Vec<Plain>),
    Any(Vec<Plain>),
    Not(Box<Plain>),
}

#[derive(Clone, Debug)]
enum Test {
    Is(Limit),
    Not(Limit),
    Contains(String),
    StartsWith(String),
    AtLeast(Limit),
    Below(Limit),
    Between(Limit, Limit),
    Present,
    Absent,
}

#[derive(Clone, Debug)]
enum Limit {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date(i64),
    Money(i64, Currency),
}

const KEYS: [&str; 4] = ["plan", "amount", "due_date", "größe"];

fn condition(plain: &Plain) -> Condition {
    match plain {
        Plain::All(all) => Condition::all(all.iter().map(condition)),
        Plain::Any(all) => Condition::any(all.iter().map(condition)),
        Plain::Not(inner) => !condition(inner),
        Plain::Test(name, test, fold) => {
            let key = key(name);
            let made = match test.clone() {
                Test::Is(limit) => key.is(operand(limit)),
                Test::Not(limit) => key.not(operand(limit)),
                Test::Contains(text) => key.contains(text),
                Test::StartsWith(text) => key.starts_with(text),
                Test::AtLeast(limit) => key.at_least(operand(limit)),
                Test::Below(limit) => key.below(operand(limit)),
                Test::Between(low, high) => key.between(operand(low), operand(high)),
                Test::Present => key.present(),
                Test::Absent => key.absent(),
            };
            if *fold { made.ignore_case() } else { made }
        }
    }
}

fn operand(limit: Limit) -> intercom_rules::Operand {
    match limit {
        Limit::Text(text) => text.into(),
        Limit::Integer(number) => number.into(),
        Limit::Float(number) => number.into(),
        Limit::Boolean(boolean) => boolean.into(),
        Limit::Date(seconds) => Timestamp::from_unix_seconds(seconds).into(),
        Limit::Money(amount, currency) => Money::new(amount, currency).into(),
    }
}

/// The plain evaluation.
fn naive(plain: &Plain, metadata: &Map<String, Value>) -> bool {
    match plain {
        Plain::All(all) => all.iter().all(|one| naive(one, metadata)),
        Plain::Any(all) => all.iter().any(|one| naive(one, metadata)),
        Plain::Not(inner) => !naive(inner, metadata),
        Plain::Test(key, test, fold) => {
            let fold = |text: &str| match fold {
                true => text.chars().flat_map(char::to_lowercase).collect(),
                false => text.to_owned(),
            };
            let Some(value) = metadata.get(key).filter(|value| !value.is_null()) else {
                return matches!(test, Test::Absent);
            };
            let text = value.as_str().or_else(|| value.get("url")?.as_str()).map(fold);
            let equal = |limit: &Limit| match limit {
                Limit::Text(limit) => text.as_ref().map(|text| *text == fold(limit)),
                Limit::Boolean(limit) => value.as_bool().map(|value| value == *limit),
                Limit::Money(..) if value.get("amount").is_some() => {
                    Some(order(key, value, limit) == Some(Ordering::Equal))
                }
                _ => order(key, value, limit).map(Ordering::is_eq),
            };
            match test {
                Test::Present => true,
                Test::Absent => false,
                Test::Is(limit) => equal(limit) == Some(true),
                Test::Not(limit) => equal(limit) == Some(false),
                Test::Contains(part) => text.is_some_and(|text| text.contains(&fold(part))),
                Test::StartsWith(part) => text.is_some_and(|text| text.starts_with(&fold(part))),
                Test::AtLeast(limit) => order(key, value, limit).is_some_and(Ordering::is_ge),
                Test::Below(limit) => order(key, value, limit).is_some_and(Ordering::is_lt),
                Test::Between(low, high) => {
                    order(key, value, low).is_some_and(Ordering::is_ge)
                        && order(key, value, high).is_some_and(Ordering::is_le)
                }
            }
        }
    }
}

fn order(key: &str, value: &Value, limit: &Limit) -> Option<Ordering> {
    let number = |value: &Value, limit: f64| match (value.as_i64(), limit.fract() == 0.0) {
        (Some(value), true) => Some(i128::from(value).cmp(&(limit as i128))),
        _ => value.as_f64()?.partial_cmp(&limit),
    };
    match limit {
        Limit::Integer(limit) => match value.as_i64() {
            Some(value) => Some(value.cmp(limit)),
            None => value.as_f64()?.partial_cmp(&(*limit as f64)),
        },
        Limit::Float(limit) => number(value, *limit),
        Limit::Date(limit) if key.ends_with("_date") => number(value, *limit as f64),
        Limit::Money(amount, currency) => {
            let is_same = value.get("currency")?.as_str()?.eq_ignore_ascii_case(currency.code());
            Some(value.get("amount")?.as_i64().filter(|_| is_same)?.cmp(amount))
        }
        _ => None,
    }
}

fn texts() -> impl Strategy<Value = String> {
    let some =
        prop::sample::select(vec!["free", "FREE", "Größe", "gRÖSSE", "a\"b\\c\n", "🦀", "", "e"]);
    prop_oneof![some.prop_map(str::to_owned), "[a-cA-C\"\\\\🦀é]{0,4}"]
}

fn currencies() -> impl Strategy<Value = Currency> {
    prop::sample::select(vec![Currency::EUR, Currency::USD])
}

fn limits() -> impl Strategy<Value = Limit> {
    prop_oneof![
        texts().prop_map(Limit::Text),
        (-3_i64..4).prop_map(Limit::Integer),
        (-3_i32..4).prop_map(|half| Limit::Float(f64::from(half) / 2.0)),
        any::<bool>().prop_map(Limit::Boolean),
        (-2_i64..3).prop_map(Limit::Date),
        ((-2_i64..3), currencies()).prop_map(|(amount, currency)| Limit::Money(amount, currency)),
    ]
}

/// Of one kind and in order, as loading requires.
fn ranges() -> impl Strategy<Value = (Limit, Limit)> {
    let sorted = |(one, other): (i64, i64)| (one.min(other), one.max(other));
    prop_oneof![
        (-3_i64..4, -3_i64..4)
            .prop_map(sorted)
            .prop_map(|(low, high)| (Limit::Integer(low), Limit::Integer(high))),
        (-3_i64..4, -3_i64..4)
            .prop_map(sorted)
            .prop_map(|(low, high)| (Limit::Date(low), Limit::Date(high))),
        ((-3_i64..4, -3_i64..4), currencies()).prop_map(move |(pair, currency)| {
            let (low, high) = sorted(pair);
            (Limit::Money(low, currency), Limit::Money(high, currency))
        }),
    ]
}

fn orderly(limit: &Limit) -> bool {
    !matches!(limit, Limit::Text(_) | Limit::Boolean(_))
}

fn leaves() -> impl Strategy<Value = Plain> {
    let test = prop_oneof![
        limits().prop_map(Test::Is),
        limits().prop_map(Test::Not),
        texts().prop_map(Test::Contains),
        texts().prop_map(Test::StartsWith),
        limits().prop_filter("ordered", orderly).prop_map(Test::AtLeast),
        limits().prop_filter("ordered", orderly).prop_map(Test::Below),
        ranges().prop_map(|(low, high)| Test::Between(low, high)),
        Just(Test::Present),
        Just(Test::Absent),
    ];
    (prop::sample::select(KEYS.to_vec()), test, any::<bool>()).prop_map(|(key, test, fold)| {
        let is_text = matches!(
            &test,
            Test::Is(Limit::Text(_))
                | Test::Not(Limit::Text(_))
                | Test::Contains(_)
                | Test::StartsWith(_)
        );
        Plain::Test(key.to_owned(), test, fold && is_text)
    })
}

fn conditions() -> impl Strategy<Value = Plain> {
    leaves().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Plain::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Plain::Any),
            inner.prop_map(|one| Plain::Not(Box::new(one))),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        texts().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        (-3_i32..4).prop_map(|half| Value::from(f64::from(half) / 2.0)),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        texts().prop_map(|url| json!({ "url": url, "value": "free" })),
        ((-2_i64..3), currencies()).prop_map(|(amount, currency)| {
            json!({ "amount": amount, "currency": currency.code().to_lowercase() })
        }),
    ]
}

/// The metadata, as plain JSON or as another program might write it.
fn encode(metadata: &Map<String, Value>, escaped: bool) -> DataEvent {
    let mut json = Value::from(metadata.clone()).to_string();
    if escaped {
        let escape = |c: char| match c.is_ascii_alphabetic() || !c.is_ascii() {
            true => {
                let mut units = [0; 2];
                let units = c.encode_utf16(&mut units);
                units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
            false => c.to_string(),
        };
        // Keys and texts alone: `true` and `null` have no quotes.
        let (mut inside, mut after_escape, mut out) = (false, false, String::new());
        for c in json.chars() {
            match (inside, after_escape, c) {
                (true, false, '"') | (false, _, '"') => {
                    inside = !inside;
                    out.push(c);
                }
                (true, false, '\\') => {
                    after_escape = true;
                    out.push(c);
                    continue;
                }
                (true, false, c) => out.push_str(&escape(c)),
                _ => out.push(c),
            }
            after_escape = false;
        }
        json = out.replace(':', " : ");
    }
    let body =
        format!(r#"{{"event_name":"tested","created_at":5,"user_id":"1","metadata":{json}}}"#);
    DataEvent::from_body(body).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_naive_and_the_compiled_evaluation_agree(
        plain in conditions(),
        metadata in prop::collection::btree_map(prop::sample::select(KEYS.to_vec()), values(), 0..5),
        escaped in any::<bool>(),
    ) {
        let metadata: Map<String, Value> =
            metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let rule = Rule::on("tested").when(condition(&plain)).drop_event();
        let rules = Rules::builder().rule(rule).build_unchecked().unwrap();
        let event = encode(&metadata, escaped);
        prop_assert_eq!(rules.apply(&event).is_some(), naive(&plain, &metadata), "{:?}", event.body());
    }
}
