//! Keys whose values are sent but never shown.

use std::panic::{AssertUnwindSafe, catch_unwind};

use intercom_core::testing::RecordingTransport;
use intercom_core::{
    Contact, DataEvent, DynamicEvent, EventMetadata, IntercomEvent, LoggingTransport, Tracker,
};
use tracing::Level;

use crate::encode;
use crate::log::logged;

const SECRET: &str = "12 Analytical Way";

#[derive(IntercomEvent)]
enum Order {
    #[event(name = "order_opened")]
    Opened { items: u32 },
    #[event(name = "order_placed")]
    Placed {
        items: u32,
        #[event(sensitive)]
        gift_for: Option<String>,
        #[event(flatten)]
        to: Address,
    },
}

#[derive(EventMetadata)]
struct Address {
    #[event(sensitive, truncate)]
    street: String,
    country: &'static str,
}

fn placed() -> Order {
    Order::Placed {
        items: 2,
        gift_for: None,
        to: Address { street: SECRET.to_owned(), country: "GB" },
    }
}

#[test]
fn sensitive_values_are_sent_and_their_keys_named_beside_the_body() {
    let event = encode(&placed()).unwrap();
    let street = r#"{"items":2,"street":"12 Analytical Way","country":"GB"}"#;
    assert_eq!(event.metadata().unwrap(), street.as_bytes());
    assert_eq!(event.sensitive_keys().collect::<Vec<_>>(), ["gift_for", "street"]);

    let opened = encode(&Order::Opened { items: 1 }).unwrap();
    assert_eq!(opened.sensitive_keys().count(), 0);
    assert_eq!(encode(&&Box::new(placed())).unwrap(), event);
}

#[test]
fn a_stored_event_keeps_its_sensitive_keys() {
    let event = encode(&placed()).unwrap();
    let stored = DataEvent::from_body(event.body().clone()).unwrap();
    assert_ne!(stored, event, "a body does not show which keys are sensitive");
    assert_eq!(stored.with_sensitive_keys(["street", "gift_for"]), event);
}

#[test]
fn a_dynamic_event_can_have_sensitive_keys() {
    let event = DynamicEvent::new("order_placed").unwrap().with("items", 2).unwrap();
    let event = event.with_sensitive("street", SECRET).unwrap();
    assert!(!format!("{event:?}").contains(SECRET));
    let event = encode(&event).unwrap();
    assert_eq!(event.sensitive_keys().collect::<Vec<_>>(), ["street"]);
    assert_eq!(event.to_masked_json()["metadata"]["street"], "[sensitive]");
    assert_eq!(event.to_masked_json()["metadata"]["items"], 2);
}

#[test]
fn sensitive_values_are_not_shown_or_logged() {
    let event = encode(&placed()).unwrap();
    assert!(!format!("{event:?}").contains(SECRET));
    assert!(!event.to_masked_json().to_string().contains(SECRET));

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let log = logged(Level::TRACE, || {
        let tracker = Tracker::new(LoggingTransport::new().with_values());
        let sending = tracker.for_contact(Contact::user_id(1)).send(&placed());
        runtime.block_on(sending).unwrap();
    });
    assert!(log.contains("[sensitive]") && log.contains("GB") && !log.contains(SECRET), "{log}");
}

#[test]
fn a_failed_assertion_masks_sensitive_values() {
    let sent = RecordingTransport::new();
    let tracker = Tracker::new(sent.clone()).for_contact(Contact::user_id(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(tracker.send(&placed())).unwrap();

    let other = Order::Placed {
        items: 3,
        gift_for: Some("Charles".to_owned()),
        to: Address { street: "elsewhere".to_owned(), country: "GB" },
    };
    let asserts: [&dyn Fn(); 2] =
        [&|| drop(sent.assert_sent(&other)), &|| sent.assert_nothing_sent()];
    for assert in asserts {
        let panic = catch_unwind(AssertUnwindSafe(assert)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        for value in [SECRET, "elsewhere", "Charles"] {
            assert!(!message.contains(value), "{message}");
        }
        assert!(message.contains("[sensitive]"), "{message}");
    }
}
