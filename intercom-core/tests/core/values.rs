//! The wire form of every value, and the refused values.

use std::borrow::Cow;
use std::num::{NonZeroI8, NonZeroU64};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intercom_core::value::{MetadataValue, ValueEncoder, ValueError, Written, kind};
use intercom_core::{
    Contact, Currency, DataEvent, DynamicEvent, IntercomEvent, InvalidEvent, Money, Reason,
    RichLink, Timestamp,
};

use crate::{encode, metadata};

#[derive(IntercomEvent)]
#[event(name = "value_sent")]
struct Plain<T> {
    value: T,
}

#[derive(IntercomEvent)]
#[event(name = "value_sent")]
struct Dated<T> {
    value_date: T,
}

macro_rules! assert_wire {
    ($($value:expr => $json:expr;)*) => {$(
        assert_eq!(metadata(&Plain { value: $value }), format!("{{\"value\":{}}}", $json));
    )*};
}

fn date<T>(value_date: T) -> String
where
    Dated<T>: IntercomEvent,
{
    metadata(&Dated { value_date })
}

fn refused(result: Result<impl Sized, InvalidEvent>) -> ValueError {
    let Err(error) = result else { panic!("the value was accepted") };
    assert_eq!(error.event_name(), "value_sent");
    assert!(matches!(error.key(), Some("value" | "value_date")));
    match error.reason() {
        Reason::Value(reason) => reason.clone(),
        other => panic!("refused for another reason: {other}"),
    }
}

#[test]
fn numbers_stay_numbers() {
    assert_wire! {
        0_u8 => "0";
        -128_i8 => "-128";
        u16::MAX => "65535";
        i16::MIN => "-32768";
        u32::MAX => "4294967295";
        i32::MIN => "-2147483648";
        u64::MAX => "18446744073709551615";
        i64::MIN => "-9223372036854775808";
        7_usize => "7";
        -7_isize => "-7";
        u128::from(u64::MAX) => "18446744073709551615";
        i128::from(i64::MIN) => "-9223372036854775808";
        i128::from(u64::MAX) => "18446744073709551615";
        1.5_f64 => "1.5";
        -0.1_f64 => "-0.1";
        0.1_f32 => "0.1";
        1e300_f64 => "1e+300";
        NonZeroU64::MAX => "18446744073709551615";
        NonZeroI8::MIN => "-128";
    }
}

#[test]
fn numbers_that_would_be_rounded_or_lost_are_refused() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(refused(encode(&Plain { value: number })), ValueError::NotFinite);
        assert_eq!(refused(encode(&Plain { value: number as f32 })), ValueError::NotFinite);
    }
    assert_eq!(refused(encode(&Plain { value: u128::from(u64::MAX) + 1 })), ValueError::TooLarge);
    assert_eq!(refused(encode(&Plain { value: i128::from(i64::MIN) - 1 })), ValueError::TooLarge);
}

#[test]
fn text_and_booleans() {
    assert_wire! {
        "Apollo" => r#""Apollo""#;
        String::from("Ada \"the\" \\ first\n\u{1}") => r#""Ada \"the\" \\ first\n\u0001""#;
        "日本 🚀" => "\"日本 🚀\"";
        "" => r#""""#;
        'é' => "\"é\"";
        true => "true";
        false => "false";
    }
}

#[test]
fn text_may_have_255_characters_of_any_length_in_bytes() {
    let longest = "🚀".repeat(255);
    assert_wire! { longest.as_str() => format!("{longest:?}"); }
    for long in ["🚀".repeat(256), "a".repeat(256)] {
        assert_eq!(refused(encode(&Plain { value: long })), ValueError::TooLong { chars: 256 });
    }
}

#[test]
fn an_error_names_event_and_key_and_never_the_value() {
    let error = encode(&Plain { value: "secret ".repeat(40) }).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("value_sent") && shown.contains("`value`") && shown.contains("280"));
    assert!(!shown.contains("secret"));
}

#[test]
fn pointers_and_options_have_the_form_of_their_value() {
    let number = 7;
    assert_wire! {
        &number => "7";
        &&number => "7";
        Box::new(7) => "7";
        Rc::new(7) => "7";
        Arc::new(7) => "7";
        Box::<str>::from("text") => r#""text""#;
        Arc::<str>::from("text") => r#""text""#;
        Cow::Borrowed("text") => r#""text""#;
        Cow::<str>::Owned("text".into()) => r#""text""#;
        Some(7) => "7";
        Some(Some(Box::new(7))) => "7";
    }
    assert_eq!(metadata(&Plain { value: None::<u64> }), "");
    assert_eq!(metadata(&Plain { value: Some(None::<u64>) }), "");
    assert_eq!(metadata(&Plain { value: Box::new(None::<u64>) }), "");
}

#[test]
fn dates_are_whole_seconds_cut_off_and_never_rounded() {
    let late = UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
    assert_eq!(date(late), r#"{"value_date":1700000000}"#);
    assert_eq!(date(UNIX_EPOCH - Duration::from_millis(1)), r#"{"value_date":-1}"#);
    assert_eq!(date(Some(Timestamp::from_unix_seconds(-5))), r#"{"value_date":-5}"#);
    assert_eq!(date(None::<SystemTime>), "");
}

#[test]
fn a_date_in_milliseconds_is_refused() {
    let milliseconds = Timestamp::from_unix_seconds(1_700_000_000_000);
    assert_eq!(refused(encode(&Dated { value_date: milliseconds })), ValueError::Milliseconds);
    let earlier = Timestamp::from_unix_seconds(i64::MIN);
    assert_eq!(refused(encode(&Dated { value_date: earlier })), ValueError::Milliseconds);
}

#[test]
fn money_is_whole_minor_units_and_a_code_in_lower_case() {
    assert_wire! {
        Money::new(34_999, Currency::EUR) => r#"{"amount":34999,"currency":"eur"}"#;
        Money::new(-1, Currency::JPY) => r#"{"amount":-1,"currency":"jpy"}"#;
    }
}

#[test]
fn rich_links_need_a_web_address() {
    assert_wire! {
        RichLink::new("https://example.com/a?b=c#d", "A \"link\"") =>
            r#"{"url":"https://example.com/a?b=c#d","value":"A \"link\""}"#;
        RichLink::new("HTTP://example.com", "") => r#"{"url":"HTTP://example.com","value":""}"#;
    }
    for url in [
        "",
        "example.com",
        "ftp://example.com",
        "javascript:alert(1)",
        "https://",
        "https:///a",
        "https://?a",
        "https://exa mple.com",
        "https://example.com/\n",
        "//example.com",
        "é",
    ] {
        assert_eq!(
            refused(encode(&Plain { value: RichLink::new(url, "text") })),
            ValueError::InvalidLink,
            "{url:?}"
        );
    }
    let long = RichLink::new("https://example.com", "a".repeat(256));
    assert_eq!(refused(encode(&Plain { value: long })), ValueError::TooLong { chars: 256 });
}

#[test]
fn other_crates_types_are_values_under_their_features() {
    let seconds = 1_700_000_000;
    let chrono = chrono::DateTime::from_timestamp(seconds, 999_999_999).unwrap();
    let jiff = jiff::Timestamp::new(seconds, 999_999_999).unwrap();
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let expected = r#"{"value_date":1700000000}"#;
    assert_eq!(date(chrono), expected);
    assert_eq!(date(jiff), expected);
    assert_eq!(date(jiff.to_zoned(jiff::tz::TimeZone::UTC)), expected);
    assert_eq!(date(time), expected);
    assert_eq!(date(time::UtcDateTime::from(time)), expected);
    let before = jiff::Timestamp::new(0, -1).unwrap();
    assert_eq!(date(before), r#"{"value_date":-1}"#);

    let id: uuid::Uuid = "67E55044-10B1-426F-9247-BB680E5FE0C8".parse().unwrap();
    assert_wire! {
        id => r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#;
        url::Url::parse("https://example.com/a b").unwrap() => r#""https://example.com/a%20b""#;
        rust_decimal::Decimal::new(34_999, 2) => "349.99";
        rust_decimal::Decimal::new(-5, 28) => "-0.0000000000000000000000000005";
    }
    let mail = url::Url::parse("mailto:ada@example.com").unwrap();
    assert_eq!(refused(encode(&Plain { value: mail })), ValueError::InvalidLink);
}

#[test]
fn a_day_is_its_midnight_in_utc() {
    let days = |year: i16, month: u8, day: u8| {
        (
            chrono::NaiveDate::from_ymd_opt(year.into(), month.into(), day.into()).unwrap(),
            jiff::civil::date(year, month as i8, day as i8),
            time::Date::from_calendar_date(year.into(), month.try_into().unwrap(), day).unwrap(),
        )
    };
    for (year, month, day, seconds) in
        [(2023, 11, 14, 1_699_920_000), (1970, 1, 1, 0), (1969, 12, 31, -86_400)]
    {
        let (chrono, jiff, time) = days(year, month, day);
        let expected = format!(r#"{{"value_date":{seconds}}}"#);
        assert_eq!(date(chrono), expected);
        assert_eq!(date(jiff), expected);
        assert_eq!(date(Some(time)), expected);
    }
    // Many databases write this day for "never". A number this large could be milliseconds, but a
    // day cannot.
    let (chrono, jiff, time) = days(9999, 12, 31);
    let expected = r#"{"value_date":253402214400}"#;
    assert_eq!(date(chrono), expected);
    assert_eq!(date(jiff), expected);
    assert_eq!(date(Some(time)), expected);
}

#[test]
fn times_with_a_type_are_never_in_milliseconds() {
    const LAST: i64 = 253_402_300_799;
    let expected = format!(r#"{{"value_date":{LAST}}}"#);
    let system = SystemTime::UNIX_EPOCH + Duration::from_secs(LAST as u64);
    assert_eq!(date(Some(system)), expected);
    assert_eq!(date(Some(Timestamp::from(system))), expected);
    assert_eq!(date(chrono::DateTime::from_timestamp(LAST, 0)), expected);
    let zoned = jiff::civil::date(9999, 12, 30).at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    assert_eq!(date(zoned.ok()), r#"{"value_date":253402171200}"#);
    assert_eq!(date(time::OffsetDateTime::from_unix_timestamp(LAST).ok()), expected);
    // The same for an event's own time.
    let event = DynamicEvent::new("tested").unwrap();
    let at = |time: Timestamp| DataEvent::new(&event, Contact::user_id(1), time);
    assert_eq!(at(system.into()).unwrap().created_at().unix_seconds(), LAST);
    let error = at(Timestamp::from_unix_seconds(LAST)).unwrap_err();
    assert_eq!(error.reason(), &Reason::CreatedAtMilliseconds);
    // Times with the same second are equal, whatever their source.
    assert_eq!(Timestamp::from(system), Timestamp::from_unix_seconds(LAST));
}

#[test]
fn a_decimal_of_more_than_64_bits_is_refused() {
    use rust_decimal::Decimal;

    let largest = Decimal::from(u64::MAX);
    for (number, sent) in [
        (largest, Some("18446744073709551615")),
        (Decimal::from(i64::MIN), Some("-9223372036854775808")),
        (largest + Decimal::ONE, None),
        (Decimal::from(i64::MIN) - Decimal::new(1, 1), None),
        (Decimal::MAX, None),
    ] {
        let event = DynamicEvent::new("tested").unwrap().with("value", number);
        match sent {
            Some(digits) => {
                assert_eq!(metadata(&event.unwrap()), format!(r#"{{"value":{digits}}}"#))
            }
            None => assert_eq!(event.unwrap_err().reason(), &Reason::Value(ValueError::TooLarge)),
        }
    }
}

#[test]
fn durations_are_seconds() {
    assert_wire! {
        Duration::ZERO => "0";
        Duration::from_secs(90) => "90";
        Duration::from_millis(1_500) => "1.5";
        Duration::from_nanos(1) => "1e-9";
        Duration::MAX => "1.8446744073709552e+19";
        chrono::TimeDelta::milliseconds(-1_500) => "-1.5";
        chrono::TimeDelta::seconds(-90) => "-90";
        jiff::SignedDuration::from_millis(-1_500) => "-1.5";
        jiff::SignedDuration::from_secs(90) => "90";
        time::Duration::milliseconds(-1_500) => "-1.5";
        time::Duration::seconds(90) => "90";
    }
}

#[test]
fn addresses_are_text() {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    assert_wire! {
        Ipv4Addr::LOCALHOST => r#""127.0.0.1""#;
        Ipv6Addr::LOCALHOST => r#""::1""#;
        IpAddr::from([192, 0, 2, 1]) => r#""192.0.2.1""#;
    }
}

#[test]
fn a_custom_type_becomes_a_value() {
    struct Percent(f64);

    impl MetadataValue for Percent {
        type Kind = kind::Number;

        fn encode(&self, encoder: ValueEncoder<'_, kind::Number>) -> Result<Written, ValueError> {
            if self.0 > 100.0 {
                return Err(ValueError::custom("more than the whole"));
            }
            encoder.float(self.0)
        }
    }

    assert_wire! { Percent(12.5) => "12.5"; }
    let error = encode(&Plain { value: Percent(101.0) }).unwrap_err();
    assert_eq!(error.to_string(), "event `value_sent`, key `value`: more than the whole");
}
