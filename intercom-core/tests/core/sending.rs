//! A `Sending` that is dropped, or polled after completion.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use intercom_core::testing::RecordingTransport;
use intercom_core::{
    Contact, ContactCreation, ContactTracker, DataEvent, DynamicEvent, Receipt, SendError, Tracker,
    Transport, async_trait,
};
use tracing::Level;

use crate::log::logged;

fn warnings(act: impl FnOnce()) -> String {
    logged(Level::WARN, act)
}

/// A transport whose attempts never end.
struct Stuck;

#[async_trait]
impl Transport for Stuck {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        std::future::pending().await
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        std::future::pending().await
    }
}

fn ada(transport: impl Transport + 'static) -> ContactTracker {
    Tracker::new(transport).for_contact(Contact::email("ada@example.com"))
}

fn poll_once(sending: impl Future) {
    assert!(pin!(sending).poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
#[expect(clippy::let_underscore_future, reason = "the test makes this mistake")]
fn dropping_an_event_that_was_never_polled_is_logged_with_its_name() {
    let sent = RecordingTransport::new();
    let event = DynamicEvent::new("project_created").unwrap().with("secret", "s3cr3t").unwrap();
    let logged = warnings(|| {
        let _ = ada(sent.clone()).send(&event);
    });
    assert_eq!(logged.lines().count(), 1, "{logged}");
    assert!(logged.contains("event.name=\"project_created\""), "{logged}");
    assert!(logged.contains("event not sent") && logged.contains("await it"), "{logged}");
    assert!(!logged.contains("s3cr3t") && !logged.contains("ada@"), "{logged}");
    assert!(sent.events().is_empty());
}

#[test]
fn dropping_an_invalid_event_that_was_never_polled_is_logged_too() {
    let event = DynamicEvent::new("project_created").unwrap();
    let nobody = Tracker::new(RecordingTransport::new()).for_contact(Contact::email(" "));
    let logged = warnings(|| drop(nobody.send(&event)));
    assert!(logged.contains("event.name=\"project_created\""), "{logged}");
}

#[test]
fn dropping_an_event_that_was_polled_or_sent_is_not_logged() {
    let event = DynamicEvent::new("project_created").unwrap();
    let sent = RecordingTransport::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let logged = warnings(|| {
        poll_once(ada(Stuck).send(&event));
        runtime.block_on(ada(sent.clone()).send(&event)).unwrap();
    });
    assert_eq!(logged, "");
    assert_eq!(sent.events().len(), 1);
}

#[tokio::test]
#[should_panic(expected = "encode it once with `Tracker::prepare`")]
async fn polling_a_finished_sending_says_how_to_send_again() {
    let event = DynamicEvent::new("project_created").unwrap();
    let mut sending = ada(RecordingTransport::new()).send(&event);
    (&mut sending).await.unwrap();
    let _ = (&mut sending).await;
}
