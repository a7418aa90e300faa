//! The transport that only logs.

use intercom_core::{Contact, ContactCreation, DynamicEvent, LoggingTransport, Timestamp, Tracker};
use tracing::Level;

use crate::log::logged;

fn log_of(transport: LoggingTransport) -> String {
    let event = DynamicEvent::new("project_created").unwrap();
    let event = event.with("project_id", 7).unwrap().with("project_name", "Apollo").unwrap();
    let tracker = Tracker::new(transport);
    let ada = Contact::email("ada@example.com");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    logged(Level::INFO, || {
        runtime.block_on(async {
            let sending = tracker
                .for_contact(ada.clone())
                .send_at(&event, Timestamp::from_unix_seconds(1_700_000_000));
            assert!(sending.await.unwrap().is_delivered());
            let creation = tracker.create_contact(&ada).await.unwrap();
            assert_eq!(creation, ContactCreation::Created);
        });
    })
}

#[test]
fn the_logging_transport_logs_no_contact_and_no_value() {
    let log = log_of(LoggingTransport::new());
    let lines: Vec<_> = log.lines().collect();
    let [event, contact] = lines[..] else { panic!("{log}") };
    for part in [
        "INFO",
        "event logged, and not sent",
        "event.name=\"project_created\"",
        "event.created_at=1700000000",
        "event.keys=[\"project_id\", \"project_name\"]",
    ] {
        assert!(event.contains(part), "{part} is not in {event}");
    }
    assert!(contact.contains("contact=Contact(email)"), "{contact}");
    assert!(!log.contains("ada@example.com") && !log.contains("Apollo"), "{log}");
}

#[test]
fn the_logging_transport_logs_the_body_on_request() {
    let log = log_of(LoggingTransport::new().with_values());
    assert!(log.contains("ada@example.com") && log.contains("Apollo"), "{log}");
}
