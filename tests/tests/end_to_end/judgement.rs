//! The sandbox accepts whatever the core allows: the two sets of rules are written independently,
//! and agree.

use intercom_core::{Contact, Currency, DynamicEvent, Money, Reason, RichLink, Timestamp, Tracker};
use intercom_sandbox::Sandbox;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A metadata key with a value of any kind.
#[derive(Clone, Debug)]
enum Member {
    Text(String, String),
    Integer(String, i64),
    Float(String, f64),
    Boolean(String, bool),
    Date(String, i64),
    Link(String, String, String),
    Money(String, i64, Currency),
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9_ -]{1,20}", "[a-z]{1,8}_date", "\\PC{1,6}", "[ -~]{1,6}", "(?i)type"]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        proptest::collection::vec(any::<char>(), 0..=260).prop_map(String::from_iter)
    ]
}

fn member() -> impl Strategy<Value = Member> {
    prop_oneof![
        (key(), text()).prop_map(|(key, value)| Member::Text(key, value)),
        (key(), any::<i64>()).prop_map(|(key, value)| Member::Integer(key, value)),
        (key(), any::<f64>()).prop_map(|(key, value)| Member::Float(key, value)),
        (key(), any::<bool>()).prop_map(|(key, value)| Member::Boolean(key, value)),
        (key(), any::<i64>()).prop_map(|(key, value)| Member::Date(key, value)),
        (key(), "(https?://)?[a-z./ ]{0,20}", text())
            .prop_map(|(key, url, value)| Member::Link(key, url, value)),
        (key(), any::<i64>(), proptest::sample::select(Currency::all()))
            .prop_map(|(key, amount, currency)| Member::Money(key, amount, currency)),
    ]
}

impl Member {
    fn add(self, event: DynamicEvent) -> Option<DynamicEvent> {
        match self {
            Member::Text(key, value) => event.with(key, value),
            Member::Integer(key, value) => event.with(key, value),
            Member::Float(key, value) => event.with(key, value),
            Member::Boolean(key, value) => event.with(key, value),
            Member::Date(key, value) => event.with(key, Timestamp::from_unix_seconds(value)),
            Member::Link(key, url, value) => event.with(key, RichLink::new(url, value)),
            Member::Money(key, amount, currency) => event.with(key, Money::new(amount, currency)),
        }
        .ok()
    }
}

#[tokio::test]
async fn the_sandbox_takes_what_the_core_lets_through() {
    let (sandbox, transport) = crate::start(
        Sandbox::builder().know_everybody(true).no_rate_limit().active_event_names(100_000),
    )
    .await;
    let tracker = Tracker::new(transport);
    let events = (
        prop_oneof!["[a-z_]{1,20}", "\\PC{1,20}", "[ -~]{1,10}"],
        proptest::collection::vec(member(), 0..14),
        prop_oneof!["[a-z]{1,5}@[a-z]{1,5}", "\\PC{0,10}@\\PC{0,10}"],
        -100_000_000_000_i64..100_000_000_000,
    );
    let mut runner = TestRunner::default();
    let mut sent = 0;
    for _ in 0..1_000 {
        let (name, members, email, seconds) = events.new_tree(&mut runner).unwrap().current();
        let Ok(event) = DynamicEvent::new(&name) else { continue };
        let event = members
            .into_iter()
            .fold(event, |event, member| member.add(event.clone()).unwrap_or(event));
        let sending = tracker
            .for_contact(Contact::email(email.as_str()))
            .send_at(&event, Timestamp::from_unix_seconds(seconds))
            .await;
        match sending {
            Ok(_) => sent += 1,
            // An address with white space around it, or with an invisible character.
            Err(error) if error.invalid_event().is_some() => {
                let reason = error.invalid_event().unwrap().reason();
                assert!(matches!(reason, Reason::Contact(_)), "{error}");
            }
            Err(error) => panic!("{error}\n{event:?} {name:?} {seconds}"),
        }
    }
    assert!(sent > 500, "the core allowed only {sent} events of 1000");
    assert_eq!(sandbox.event_count(), sent);
    assert!(sandbox.events().iter().all(|event| event.dropped_keys().is_empty()));
}
