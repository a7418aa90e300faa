//! The effect of each attribute of the derive on the wire form.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::testing::RecordingTransport;
use intercom_core::{
    EventMetadata, IdentifiedEvent, IntercomEvent, Reason, RichLink, Timestamp, Tracker,
    ValueError, ValueKind,
};

use crate::{encode, metadata};

#[test]
fn keys_are_in_the_order_of_the_fields() {
    #[derive(IntercomEvent)]
    #[event(name = "ordered")]
    struct Ordered {
        z: u8,
        a: u8,
        m: Option<u8>,
        b: u8,
    }

    assert_eq!(metadata(&Ordered { z: 1, a: 2, m: Some(3), b: 4 }), r#"{"z":1,"a":2,"m":3,"b":4}"#);
    assert_eq!(metadata(&Ordered { z: 1, a: 2, m: None, b: 4 }), r#"{"z":1,"a":2,"b":4}"#);
}

#[test]
fn an_event_without_keys_has_no_metadata() {
    #[derive(IntercomEvent)]
    #[event(name = "Signed \"in\"")]
    struct SignedIn;

    #[derive(IntercomEvent)]
    #[event(name = "signed-out")]
    struct SignedOut {}

    let body = encode(&SignedIn).unwrap();
    assert_eq!(
        body.body(),
        r#"{"event_name":"Signed \"in\"","created_at":1700000000,"user_id":"1"}"#
    );
    assert_eq!(body.metadata(), None);
    assert_eq!(encode(&SignedOut {}).unwrap().metadata(), None);
}

#[test]
fn the_metadata_is_a_slice_of_the_body() {
    #[derive(IntercomEvent)]
    #[event(name = "sliced")]
    struct Sliced {
        key: u8,
    }

    let event = encode(&Sliced { key: 1 }).unwrap();
    let metadata = event.body().slice_ref(event.metadata().unwrap());
    assert_eq!(metadata, r#"{"key":1}"#);
}

#[test]
fn a_renamed_field_has_the_other_key() {
    #[derive(IntercomEvent)]
    #[event(name = "renamed", rename_all = "camelCase")]
    struct Renamed {
        project_id: u8,
        #[event(rename = "The Name")]
        project_name: u8,
        r#match: u8,
    }

    assert_eq!(
        metadata(&Renamed { project_id: 1, project_name: 2, r#match: 3 }),
        r#"{"projectId":1,"The Name":2,"match":3}"#
    );
}

#[test]
fn rename_all_has_every_form() {
    macro_rules! key {
        ($rule:literal) => {{
            #[derive(IntercomEvent)]
            #[event(name = "formed", rename_all = $rule)]
            struct Formed {
                project_owner_id: u8,
            }
            metadata(&Formed { project_owner_id: 1 })
        }};
    }
    assert_eq!(key!("lowercase"), r#"{"project_owner_id":1}"#);
    assert_eq!(key!("UPPERCASE"), r#"{"PROJECT_OWNER_ID":1}"#);
    assert_eq!(key!("PascalCase"), r#"{"ProjectOwnerId":1}"#);
    assert_eq!(key!("camelCase"), r#"{"projectOwnerId":1}"#);
    assert_eq!(key!("snake_case"), r#"{"project_owner_id":1}"#);
    assert_eq!(key!("SCREAMING_SNAKE_CASE"), r#"{"PROJECT_OWNER_ID":1}"#);
    assert_eq!(key!("kebab-case"), r#"{"project-owner-id":1}"#);
    assert_eq!(key!("SCREAMING-KEBAB-CASE"), r#"{"PROJECT-OWNER-ID":1}"#);
}

struct Coordinates(u8, u8);

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}", self.0, self.1)
    }
}

#[test]
fn fields_are_skipped_displayed_and_converted() {
    fn minutes(duration: &Duration) -> u64 {
        duration.as_secs() / 60
    }

    fn first_word(text: &str) -> Option<&str> {
        text.split_whitespace().next()
    }

    #[derive(IntercomEvent)]
    #[event(name = "converted")]
    struct Converted {
        #[event(skip)]
        #[expect(dead_code, reason = "a skipped field is never read")]
        secret: Vec<u8>,
        #[event(display)]
        place: Coordinates,
        #[event(display)]
        other: Option<Coordinates>,
        #[event(with = minutes)]
        lasted: Duration,
        #[event(with = first_word)]
        title: String,
        #[event(with = std::vec::Vec::len)]
        items: Vec<u8>,
    }

    let event = |other, title: &str| Converted {
        secret: vec![1],
        place: Coordinates(1, 2),
        other,
        lasted: Duration::from_secs(600),
        title: title.into(),
        items: vec![1, 2, 3],
    };
    assert_eq!(
        metadata(&event(None, "Apollo 11")),
        r#"{"place":"1\"2","lasted":10,"title":"Apollo","items":3}"#
    );
    assert_eq!(
        metadata(&event(Some(Coordinates(3, 4)), " ")),
        r#"{"place":"1\"2","other":"3\"4","lasted":10,"items":3}"#
    );
}

#[test]
fn converting_applies_inside_an_option() {
    // User code may use the names of the expansion.
    fn value(duration: &Duration) -> u64 {
        duration.as_secs() / 60
    }

    fn field(text: &str) -> Option<&str> {
        text.split_whitespace().next()
    }

    #[derive(IntercomEvent)]
    #[event(name = "converted")]
    struct Converted<'a, T> {
        #[event(with = value)]
        lasted: Option<Duration>,
        #[event(with = field)]
        title: Option<String>,
        #[event(with = str::trim, truncate)]
        note: Option<&'a String>,
        #[event(with = std::vec::Vec::len)]
        items: Option<Vec<T>>,
        #[event(with = std::convert::identity)]
        as_it_is: Option<u8>,
    }

    let full = Converted {
        lasted: Some(Duration::from_secs(600)),
        title: Some("Apollo 11".into()),
        note: Some(&" a ".into()),
        items: Some(vec![(), ()]),
        as_it_is: Some(1),
    };
    assert_eq!(
        metadata(&full),
        r#"{"lasted":10,"title":"Apollo","note":"a","items":2,"as_it_is":1}"#
    );
    let blank = Converted { title: Some(" ".into()), note: None, lasted: None, ..full };
    assert_eq!(metadata(&blank), r#"{"items":2,"as_it_is":1}"#);
    let keys = Converted::<()>::EVENTS[0].keys();
    let described: Vec<_> = keys.iter().map(|key| (key.kind, key.optional)).collect();
    let (number, text) = ((ValueKind::Number, true), (ValueKind::Text, true));
    assert_eq!(described, [number, text, text, number, number]);
}

#[test]
fn truncating_cuts_at_255_characters() {
    #[derive(IntercomEvent)]
    #[event(name = "cut")]
    struct Cut<'a> {
        #[event(truncate)]
        text: &'a str,
        #[event(truncate, display)]
        shown: &'a str,
        #[event(truncate, with = str::trim)]
        trimmed: &'a str,
    }

    let long = "é".repeat(300);
    let cut = "é".repeat(255);
    assert_eq!(
        metadata(&Cut { text: &long, shown: &long, trimmed: &long }),
        format!(r#"{{"text":"{cut}","shown":"{cut}","trimmed":"{cut}"}}"#)
    );
    assert_eq!(
        metadata(&Cut { text: "a", shown: "b", trimmed: " c " }),
        r#"{"text":"a","shown":"b","trimmed":"c"}"#
    );
}

#[test]
fn a_displayed_text_obeys_the_limit_and_may_fail() {
    struct Broken;

    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }

    #[derive(IntercomEvent)]
    #[event(name = "shown")]
    struct Shown<T> {
        before: u8,
        #[event(display)]
        text: T,
    }

    let reason = |error: intercom_core::InvalidEvent| {
        assert_eq!((error.event_name().as_str(), error.key()), ("shown", Some("text")));
        error.reason().clone()
    };
    let error = encode(&Shown { before: 1, text: Broken }).unwrap_err();
    assert_eq!(reason(error), Reason::Value(ValueError::Display));
    let error = encode(&Shown { before: 1, text: "a".repeat(300) }).unwrap_err();
    assert_eq!(reason(error), Reason::Value(ValueError::TooLong { chars: 300 }));
}

#[test]
fn the_first_mistake_is_the_one_reported() {
    #[derive(IntercomEvent)]
    #[event(name = "twice_wrong")]
    struct TwiceWrong {
        first: f64,
        second: RichLink,
    }

    let event = TwiceWrong { first: f64::NAN, second: RichLink::new("", "") };
    assert_eq!(encode(&event).unwrap_err().key(), Some("first"));
}

#[derive(EventMetadata)]
struct Billing<'a> {
    plan: &'a str,
    seats: Option<u32>,
}

#[derive(EventMetadata)]
#[event(rename_all = "UPPERCASE")]
struct Account<'a> {
    name: &'a str,
    #[event(flatten)]
    billing: Option<Billing<'a>>,
}

#[test]
fn flattening_spreads_keys_in_place() {
    #[derive(IntercomEvent)]
    #[event(name = "flat")]
    struct Flat<'a> {
        before: u8,
        #[event(flatten)]
        account: Account<'a>,
        #[event(flatten)]
        boxed: Box<Range>,
        #[event(flatten)]
        shared: Rc<Price>,
        after: u8,
    }

    #[derive(EventMetadata)]
    struct Price {
        price: u8,
    }

    let flat = |billing| Flat {
        before: 1,
        account: Account { name: "Acme", billing },
        boxed: Box::new(Range { low: 3, high: 4 }),
        shared: Rc::new(Price { price: 5 }),
        after: 2,
    };
    assert_eq!(
        metadata(&flat(Some(Billing { plan: "team", seats: Some(9) }))),
        r#"{"before":1,"NAME":"Acme","plan":"team","seats":9,"low":3,"high":4,"price":5,"after":2}"#
    );
    assert_eq!(
        metadata(&flat(None)),
        r#"{"before":1,"NAME":"Acme","low":3,"high":4,"price":5,"after":2}"#
    );
}

#[test]
fn an_event_behind_a_pointer_is_the_same_event() {
    #[derive(IntercomEvent)]
    #[event(name = "paid")]
    struct Paid {
        #[event(user_id)]
        customer: u64,
        #[event(created_at)]
        at: Timestamp,
        amount: u8,
        #[event(flatten)]
        range: Arc<Range>,
        #[event(flatten)]
        billing: Option<Arc<Billing<'static>>>,
    }

    fn check<E: IdentifiedEvent>(event: &E) {
        assert_eq!(E::EVENTS[0].name, "paid");
        let prepared = Tracker::new(RecordingTransport::new()).prepare(event).unwrap();
        assert_eq!(
            prepared.body(),
            r#"{"event_name":"paid","created_at":5,"user_id":"7","metadata":{"amount":3,"low":1,"high":2,"plan":"team"}}"#
        );
    }

    let paid = || Paid {
        customer: 7,
        at: Timestamp::from_unix_seconds(5),
        amount: 3,
        range: Arc::new(Range { low: 1, high: 2 }),
        billing: Some(Arc::new(Billing { plan: "team", seats: None })),
    };
    check(&&paid());
    check(&Box::new(paid()));
    check(&Rc::new(paid()));
    check(&Arc::new(&paid()));
}

#[derive(EventMetadata)]
struct Range {
    low: u8,
    high: u8,
}

#[test]
fn an_enum_has_an_event_a_variant() {
    #[derive(IntercomEvent)]
    #[event(rename_all = "camelCase")]
    enum Project {
        #[event(name = "project_created")]
        Created { project_id: u64 },
        #[event(name = "project_renamed", rename_all = "snake_case")]
        Renamed { project_id: u64, new_name: String },
        #[event(name = "projects_listed")]
        Listed,
    }

    let name = |event: &Project| encode(event).unwrap().event_name().to_string();
    let created = Project::Created { project_id: 7 };
    let renamed = Project::Renamed { project_id: 7, new_name: "Gemini".into() };
    assert_eq!(
        (name(&created), metadata(&created)),
        ("project_created".into(), r#"{"projectId":7}"#.into())
    );
    assert_eq!(
        (name(&renamed), metadata(&renamed)),
        ("project_renamed".into(), r#"{"project_id":7,"new_name":"Gemini"}"#.into())
    );
    assert_eq!(
        (name(&Project::Listed), metadata(&Project::Listed)),
        ("projects_listed".into(), String::new())
    );
}

#[test]
fn generics_with_bounds_defaults_and_constants() {
    #[derive(IntercomEvent)]
    #[event(name = "generic")]
    struct Generic<'a, T, U: ?Sized = str, const N: usize = 3>
    where
        T: Clone,
    {
        value: Option<T>,
        borrowed: &'a U,
        #[event(with = length)]
        many: [u8; N],
        at_date: Timestamp,
    }

    fn length<const N: usize>(many: &[u8; N]) -> usize {
        many.len()
    }

    let event = Generic::<u8> {
        value: Some(1),
        borrowed: "text",
        many: [0; 3],
        at_date: Timestamp::from_unix_seconds(2),
    };
    assert_eq!(metadata(&event), r#"{"value":1,"borrowed":"text","many":3,"at_date":2}"#);
}

#[test]
fn twenty_keys_are_allowed_on_request() {
    #[derive(IntercomEvent, Default)]
    // A number may have a suffix.
    #[event(name = "many_keys", max_keys = 20_u8)]
    #[rustfmt::skip]
    struct ManyKeys {
        k01: u8, k02: u8, k03: u8, k04: u8, k05: u8, k06: u8, k07: u8, k08: u8, k09: u8, k10: u8,
        k11: u8, k12: u8, k13: u8, k14: u8, k15: u8, k16: u8, k17: u8, k18: u8, k19: u8, k20: u8,
    }

    let keys =
        encode(&ManyKeys::default()).unwrap().to_json()["metadata"].as_object().unwrap().len();
    assert_eq!(keys, 20);
}
