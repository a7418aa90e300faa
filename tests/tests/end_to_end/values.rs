//! The wire form of every kind of value, as the sandbox received it.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intercom_core::{Contact, Currency, EventMetadata, IntercomEvent, Money, RichLink, Timestamp};
use serde_json::{Value, json};

async fn received(event: &impl IntercomEvent) -> Vec<(String, Value)> {
    let (sandbox, tracker) = crate::start_tracker().await;
    tracker.for_contact(Contact::user_id(1)).send(event).await.unwrap();
    let [event] = &sandbox.events()[..] else { panic!("one event") };
    assert!(event.dropped_keys().is_empty());
    event.metadata().to_vec()
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Vec<(String, Value)> {
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[tokio::test]
async fn text_arrives_as_sent() {
    #[derive(IntercomEvent)]
    #[event(name = "text_sent")]
    struct TextSent<'a> {
        owned: String,
        borrowed: &'a str,
        cow: Cow<'a, str>,
        boxed: Box<str>,
        shared: Arc<str>,
        character: char,
        id: uuid::Uuid,
        longest: String,
        #[event(truncate)]
        cut: String,
        #[event(display)]
        shown: std::net::Ipv4Addr,
    }

    let longest = "🚀".repeat(255);
    let event = TextSent {
        owned: "\"quoted\" \\ \n \u{7}".into(),
        borrowed: "日本",
        cow: "cow".into(),
        boxed: "".into(),
        shared: "shared".into(),
        character: 'é',
        id: uuid::Uuid::from_u128(1),
        longest: longest.clone(),
        cut: "🚀".repeat(300),
        shown: [127, 0, 0, 1].into(),
    };
    assert_eq!(
        received(&event).await,
        members([
            ("owned", json!("\"quoted\" \\ \n \u{7}")),
            ("borrowed", json!("日本")),
            ("cow", json!("cow")),
            ("boxed", json!("")),
            ("shared", json!("shared")),
            ("character", json!("é")),
            ("id", json!("00000000-0000-0000-0000-000000000001")),
            ("longest", json!(longest)),
            ("cut", json!(longest)),
            ("shown", json!("127.0.0.1")),
        ])
    );
}

#[tokio::test]
async fn numbers_and_booleans_arrive_as_sent() {
    #[derive(IntercomEvent)]
    #[event(name = "number_sent")]
    struct NumberSent {
        largest: u64,
        smallest: i64,
        fraction: f64,
        single: f32,
        non_zero: NonZeroU32,
        wide: i128,
        decimal: rust_decimal::Decimal,
        yes: bool,
        some: Option<u8>,
        none: Option<u8>,
    }

    let event = NumberSent {
        largest: u64::MAX,
        smallest: i64::MIN,
        fraction: -1.25,
        single: 0.1,
        non_zero: NonZeroU32::MIN,
        wide: -7,
        decimal: rust_decimal::Decimal::new(34_999, 2),
        yes: true,
        some: Some(0),
        none: None,
    };
    assert_eq!(
        received(&event).await,
        members([
            ("largest", json!(u64::MAX)),
            ("smallest", json!(i64::MIN)),
            ("fraction", json!(-1.25)),
            ("single", json!(0.1)),
            ("non_zero", json!(1)),
            ("wide", json!(-7)),
            ("decimal", json!(349.99)),
            ("yes", json!(true)),
            ("some", json!(0)),
        ])
    );
}

#[tokio::test]
async fn dates_arrive_in_unix_seconds() {
    #[derive(IntercomEvent)]
    #[event(name = "date_sent")]
    struct DateSent {
        timestamp_date: Timestamp,
        system_date: SystemTime,
        jiff_date: jiff::Timestamp,
        zoned_date: jiff::Zoned,
        chrono_date: chrono::DateTime<chrono::Utc>,
        time_date: time::OffsetDateTime,
        absent_date: Option<SystemTime>,
        #[event(with = start)]
        converted_date: (i64, i64),
    }

    fn start(range: &(i64, i64)) -> Timestamp {
        Timestamp::from_unix_seconds(range.0)
    }

    let jiff = jiff::Timestamp::from_second(1_700_000_002).unwrap();
    let event = DateSent {
        timestamp_date: Timestamp::from_unix_seconds(1_700_000_000),
        system_date: UNIX_EPOCH + Duration::from_millis(1_700_000_001_999),
        jiff_date: jiff,
        zoned_date: jiff.to_zoned(jiff::tz::TimeZone::UTC),
        chrono_date: chrono::DateTime::from_timestamp(1_700_000_003, 0).unwrap(),
        time_date: time::OffsetDateTime::from_unix_timestamp(1_700_000_004).unwrap(),
        absent_date: None,
        converted_date: (1_700_000_005, 0),
    };
    assert_eq!(
        received(&event).await,
        members([
            ("timestamp_date", json!(1_700_000_000)),
            ("system_date", json!(1_700_000_001)),
            ("jiff_date", json!(1_700_000_002)),
            ("zoned_date", json!(1_700_000_002)),
            ("chrono_date", json!(1_700_000_003)),
            ("time_date", json!(1_700_000_004)),
            ("converted_date", json!(1_700_000_005)),
        ])
    );
}

#[tokio::test]
async fn links_money_stripe_ids_and_groups_arrive_as_sent() {
    #[derive(IntercomEvent)]
    #[event(name = "invoice_paid")]
    struct InvoicePaid {
        order: RichLink,
        page: url::Url,
        price: Money,
        whole: Money,
        stripe_customer: &'static str,
        #[event(flatten)]
        plan: Option<Plan>,
        #[event(rename = "Last Key")]
        last: u8,
    }

    #[derive(EventMetadata)]
    struct Plan {
        plan: &'static str,
        seats: u32,
    }

    let event = InvoicePaid {
        order: RichLink::new("https://example.com/orders/1", "Order #1"),
        page: "http://example.com/".parse().unwrap(),
        price: Money::new(34_999, Currency::EUR),
        whole: Money::new(-500, "jpy".parse().unwrap()),
        stripe_customer: "cus_123",
        plan: Some(Plan { plan: "team", seats: 9 }),
        last: 1,
    };
    assert_eq!(
        received(&event).await,
        members([
            ("order", json!({"url": "https://example.com/orders/1", "value": "Order #1"})),
            ("page", json!("http://example.com/")),
            ("price", json!({"amount": 34_999, "currency": "eur"})),
            ("whole", json!({"amount": -500, "currency": "jpy"})),
            ("stripe_customer", json!("cus_123")),
            ("plan", json!("team")),
            ("seats", json!(9)),
            ("Last Key", json!(1)),
        ])
    );
}

#[tokio::test]
async fn twenty_keys_arrive_and_none_is_dropped() {
    #[derive(IntercomEvent, Default)]
    #[event(name = "many_keys", max_keys = 20)]
    #[rustfmt::skip]
    struct ManyKeys {
        k01: u8, k02: u8, k03: u8, k04: u8, k05: u8, k06: u8, k07: u8, k08: u8, k09: u8, k10: u8,
        k11: u8, k12: u8, k13: u8, k14: u8, k15: u8, k16: u8, k17: u8, k18: u8, k19: u8, k20: u8,
    }

    let keys: Vec<_> =
        received(&ManyKeys::default()).await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, Vec::from_iter((1..=20).map(|i| format!("k{i:02}"))));
}
