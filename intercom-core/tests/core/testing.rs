//! The message of a failed assertion about sent events.

use std::panic::{AssertUnwindSafe, catch_unwind};

use intercom_core::testing::RecordingTransport;
use intercom_core::{Contact, IntercomEvent, Timestamp, Tracker};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated<'a> {
    project_id: u64,
    project_name: &'a str,
    template: Option<&'a str>,
}

#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid {
    #[event(user_id)]
    customer: u64,
    #[event(created_at)]
    at: Timestamp,
}

fn apollo(project_id: u64) -> ProjectCreated<'static> {
    ProjectCreated { project_id, project_name: "Apollo", template: None }
}

fn paid(customer: u64, second: i64) -> InvoicePaid {
    InvoicePaid { customer, at: Timestamp::from_unix_seconds(second) }
}

/// Sends events to Ada, in order.
async fn sent(events: &[ProjectCreated<'_>]) -> RecordingTransport {
    let sent = RecordingTransport::new();
    let ada = Tracker::new(sent.clone()).for_contact(Contact::email("ada@example.com"));
    for event in events {
        ada.send(event).await.unwrap();
    }
    sent
}

fn message(failing: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(failing)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[tokio::test]
async fn assert_sent_returns_the_sent_event() {
    let sent = sent(&[apollo(7), apollo(8)]).await;
    let event = sent.assert_sent(&apollo(8));
    assert_eq!(event, sent.events()[1]);
    assert_eq!(event.contact(), &Contact::email("ada@example.com"));
    sent.take();
    sent.assert_nothing_sent();
}

#[tokio::test]
async fn a_failure_lists_the_differences_of_the_nearest_event() {
    let other = ProjectCreated { project_id: 8, project_name: "Gemini", template: Some("moon") };
    let sent = sent(&[other, apollo(8)]).await;
    let expected = ProjectCreated { template: Some("mars"), ..apollo(7) };
    assert_eq!(
        message(|| drop(sent.assert_sent(&expected))),
        "the event `project_created` was not sent as expected
  event 2 of 2:
    project_id: expected 7, was 8
    template: expected \"mars\", was left out
  event 1 of 2:
    project_id: expected 7, was 8
    project_name: expected \"Apollo\", was \"Gemini\"
    template: expected \"mars\", was \"moon\""
    );
    let nearest =
        message(|| drop(sent.assert_sent(&ProjectCreated { project_name: "Gemini", ..apollo(8) })));
    assert!(nearest.contains("template: not expected, was \"moon\""), "{nearest}");
}

#[tokio::test]
async fn a_failure_compares_at_most_three_events() {
    let sent = sent(&[1, 2, 3, 4, 5].map(apollo)).await;
    let message = message(|| drop(sent.assert_sent(&apollo(7))));
    assert_eq!(message.matches("expected 7, was").count(), 3, "{message}");
    assert!(message.ends_with("and 2 more of this name"), "{message}");
}

#[tokio::test]
async fn a_failure_without_an_event_of_the_name_lists_the_sent_ones() {
    let empty = sent(&[]).await;
    assert_eq!(
        message(|| drop(empty.assert_sent(&paid(1, 5)))),
        "no event `invoice_paid` was sent; nothing was sent"
    );
    let sent = sent(&[apollo(7)]).await;
    let listed = "this event was sent:
  project_created of email \"ada@example.com\": {\"project_id\":7,\"project_name\":\"Apollo\"}";
    assert_eq!(
        message(|| drop(sent.assert_sent(&paid(1, 5)))),
        format!("no event `invoice_paid` was sent; {listed}")
    );
    assert_eq!(
        message(|| sent.assert_nothing_sent()),
        format!("nothing was to be sent, and {listed}")
    );
}

#[tokio::test]
async fn contact_and_time_are_compared_if_the_event_has_them() {
    let sent = RecordingTransport::new();
    let tracker = Tracker::new(sent.clone());
    tracker.send(&paid(7, 5)).await.unwrap();
    sent.assert_sent(&paid(7, 5));
    assert_eq!(
        message(|| drop(sent.assert_sent(&paid(8, 6)))),
        "the event `invoice_paid` was not sent as expected
  event 1 of 1:
    contact: expected user id \"8\", was user id \"7\"
    created_at: expected 6, was 5"
    );
}

#[tokio::test]
async fn an_invalid_event_cannot_be_expected() {
    let too_long = "a".repeat(256);
    let event = ProjectCreated { project_name: &too_long, ..apollo(7) };
    let sent = sent(&[]).await;
    let message = message(|| drop(sent.assert_sent(&event)));
    assert!(message.starts_with("the expected event can never be sent: "), "{message}");
}
