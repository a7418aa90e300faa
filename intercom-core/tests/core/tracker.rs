//! Sending: when an event is encoded, its time, and the test transports.

use std::sync::Arc;

use intercom_core::testing::{FailingTransport, RecordingTransport};
use intercom_core::{
    Contact, ContactCreation, DataEvent, DynamicEvent, ErrorKind, IntercomEvent, Receipt,
    SendError, Timestamp, Tracker, Transport, async_trait,
};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
    #[event(created_at)]
    at: Option<Timestamp>,
}

const SECOND: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

fn recorded() -> (RecordingTransport, Tracker) {
    let sent = RecordingTransport::new();
    (sent.clone(), Tracker::new(sent))
}

#[tokio::test]
async fn the_time_is_the_given_one_else_the_fields_else_now() {
    let (sent, tracker) = recorded();
    let ada = tracker.for_contact(Contact::user_id(1));
    let timed = ProjectCreated { project_id: 1, at: Some(SECOND) };
    let untimed = ProjectCreated { project_id: 1, at: None };

    ada.send(&timed).await.unwrap();
    ada.send_at(&timed, Timestamp::from_unix_seconds(5)).await.unwrap();
    let before = Timestamp::now();
    ada.send(&untimed).await.unwrap();
    let after = Timestamp::now();

    let times: Vec<_> = sent.events().iter().map(DataEvent::created_at).collect();
    assert_eq!(times[..2], [SECOND, Timestamp::from_unix_seconds(5)]);
    assert!((before..=after).contains(&times[2]));
}

#[tokio::test]
async fn a_time_in_milliseconds_is_refused_and_a_time_in_2100_is_not() {
    let (sent, tracker) = recorded();
    let ada = tracker.for_contact(Contact::user_id(1));
    let event = DynamicEvent::new("tested").unwrap();
    let milliseconds = Timestamp::from_unix_seconds(1_700_000_000_000);
    let error = ada.send_at(&event, milliseconds).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    ada.send_at(&event, Timestamp::from_unix_seconds(4_102_444_800)).await.unwrap();
    assert_eq!(sent.events().len(), 1);
}

#[tokio::test]
async fn the_future_borrows_nothing_and_can_be_spawned() {
    let (sent, tracker) = recorded();
    let future = {
        // Neither is `Send`. Both are dropped before the future runs.
        let project_id = std::rc::Rc::new(7_u64);
        #[derive(IntercomEvent)]
        #[event(name = "local")]
        struct Local<'a> {
            project_id: &'a std::rc::Rc<u64>,
        }
        tracker.for_contact(Contact::user_id(1)).send(&Local { project_id: &project_id })
    };
    drop(tracker);
    tokio::spawn(future).await.unwrap().unwrap();
    assert_eq!(sent.events()[0].to_json()["metadata"]["project_id"], 7);
}

#[tokio::test]
async fn an_event_is_encoded_when_send_is_called_and_sent_when_awaited() {
    let (sent, tracker) = recorded();
    let mut event = ProjectCreated { project_id: 1, at: Some(SECOND) };
    let first = tracker.for_contact(Contact::user_id(1)).send(&event);
    event.project_id = 2;
    let second = tracker.for_contact(Contact::user_id(1)).send(&event);
    assert!(sent.events().is_empty());
    second.await.unwrap();
    first.await.unwrap();
    let ids: Vec<_> = sent
        .events()
        .iter()
        .map(|event| event.to_json()["metadata"]["project_id"].clone())
        .collect();
    assert_eq!(ids, [2, 1]);
}

#[tokio::test]
async fn errors_of_the_transport_name_the_event() {
    let failing = FailingTransport::always(ErrorKind::Unavailable);
    let ada = Tracker::new(failing.clone()).for_contact(Contact::email("ada@example.com"));
    let event = ProjectCreated { project_id: 7, at: Some(SECOND) };
    let error = ada.send(&event).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.event_name().unwrap(), "project_created");
    assert!(!format!("{error} {error:?}").contains("ada"));
    assert_eq!(failing.attempts()[0].event_name(), "project_created");
}

#[tokio::test]
async fn a_repeated_attempt_has_the_same_bytes() {
    let (sent, _) = recorded();
    let failing = FailingTransport::new(sent.clone()).fail(ErrorKind::Timeout);
    let event = DynamicEvent::new("tested").unwrap();
    let event = DataEvent::new(&event, Contact::user_id(1), SECOND).unwrap();
    let transport = Arc::new(failing.clone());
    assert!(transport.clone().send(event.clone()).await.unwrap_err().is_retryable());
    transport.send(event.clone()).await.unwrap();
    assert_eq!(failing.attempts(), [event.clone(), event.clone()]);
    assert_eq!(sent.events(), [event]);
}

#[tokio::test]
async fn a_prepared_event_is_sent_again_with_the_same_second() {
    let (sent, tracker) = recorded();
    let event = ProjectCreated { project_id: 7, at: None };
    let prepared = tracker.for_contact(Contact::user_id(1)).prepare(&event).unwrap();
    tracker.send_prepared(prepared.clone()).await.unwrap();
    tracker.send_prepared(prepared.clone()).await.unwrap();
    assert_eq!(sent.events(), [prepared.clone(), prepared]);
}

#[test]
fn an_event_is_prepared_for_the_contact_and_the_time_that_it_is_sent_with() {
    #[derive(IntercomEvent)]
    #[event(name = "paid")]
    struct Paid {
        #[event(user_id)]
        customer: u64,
        #[event(created_at)]
        at: Timestamp,
    }
    let (sent, tracker) = recorded();
    let ada = tracker.for_contact(Contact::email("ada@example.com"));
    let other = Timestamp::from_unix_seconds(5);
    let paid = Paid { customer: 7, at: SECOND };
    let created = ProjectCreated { project_id: 7, at: Some(SECOND) };
    let customer = Contact::user_id(7);
    for (prepared, contact, time) in [
        (tracker.prepare(&paid).unwrap(), &customer, SECOND),
        (tracker.prepare_at(&paid, other).unwrap(), &customer, other),
        (ada.prepare_at(&paid, other).unwrap(), &customer, other),
        (ada.prepare(&created).unwrap(), &Contact::email("ada@example.com"), SECOND),
        (ada.prepare_at(&created, other).unwrap(), &Contact::email("ada@example.com"), other),
    ] {
        assert_eq!((prepared.contact(), prepared.created_at()), (contact, time));
    }
    let milliseconds = Timestamp::from_unix_seconds(1_700_000_000_000);
    for invalid in [ada.prepare_at(&created, milliseconds), tracker.prepare_at(&paid, milliseconds)]
    {
        assert_eq!(SendError::from(invalid.unwrap_err()).kind(), ErrorKind::InvalidEvent);
    }
    assert!(sent.events().is_empty());
}

#[tokio::test]
async fn events_of_many_types_in_one_list() {
    let (sent, tracker) = recorded();
    let ada = tracker.for_contact(Contact::user_id(1));
    let events = [
        ada.prepare(&ProjectCreated { project_id: 7, at: None }).unwrap(),
        ada.prepare(&DynamicEvent::new("tested").unwrap()).unwrap(),
    ];
    for event in events {
        tracker.send_prepared(event).await.unwrap();
    }
    let names: Vec<_> = sent.events().iter().map(|event| event.event_name().to_string()).collect();
    assert_eq!(names, ["project_created", "tested"]);
}

#[test]
fn a_stored_body_becomes_the_same_event_again() {
    let contacts = [
        Contact::user_id("\"1\""),
        Contact::email("ada@example.com").with_contact_id("5f1c").with_user_id("é"),
    ];
    for contact in contacts {
        for event in [
            DynamicEvent::new("a \"name\"").unwrap(),
            DynamicEvent::new("tested").unwrap().with("text", "{\"metadata\":1}\n").unwrap(),
        ] {
            let event = DataEvent::new(&event, contact.clone(), SECOND).unwrap();
            let again = DataEvent::from_body(event.body().to_vec()).unwrap();
            assert_eq!(again, event);
            assert_eq!(again.metadata(), event.metadata());
        }
    }
}

#[test]
fn a_moved_event_differs_in_its_second_alone() {
    let event = DynamicEvent::new("a \"created_at\":1 b").unwrap().with("created_at", 7).unwrap();
    let event = DataEvent::new(&event, Contact::user_id(1), SECOND).unwrap();
    for seconds in [-1, 0, 5, 1_700_000_001, 99_999_999_999] {
        let time = Timestamp::from_unix_seconds(seconds);
        let moved = event.moved_to(time);
        assert_eq!(moved.created_at(), time);
        assert_eq!((moved.event_name(), moved.contact()), (event.event_name(), event.contact()));
        assert_eq!(moved.metadata(), event.metadata());
        assert_eq!(DataEvent::from_body(moved.body().clone()).unwrap(), moved);
        assert_eq!(moved.moved_to(SECOND), event);
    }
    let foreign =
        r#" { "metadata" : {"created_at":1}, "id":"c", "created_at" : 5 , "event_name":"a"} "#;
    let foreign = DataEvent::from_body(foreign).unwrap();
    assert_eq!(foreign.metadata().unwrap(), br#"{"created_at":1}"#);
    let moved = foreign.moved_to(Timestamp::from_unix_seconds(66));
    assert_eq!(moved.to_json()["created_at"], 66);
    assert_eq!(moved.metadata().unwrap(), br#"{"created_at":1}"#);
}

#[test]
fn bytes_without_an_event_are_refused_and_not_shown() {
    for body in [
        "",
        "secret",
        "{\"event_name\":\"secret\"",
        "[]",
        "{}",
        r#"{"event_name":"secret","created_at":1}"#,
        r#"{"event_name":"secret","created_at":1.5,"user_id":"1"}"#,
        r#"{"event_name":"secret","user_id":"1"}"#,
        r#"{"event_name":7,"created_at":1,"user_id":"1"}"#,
        r#"{"event_name":"secret","created_at":1,"user_id":1}"#,
        r#"{"event_name":"secret","created_at":1,"user_id":"1","metadata":[]}"#,
    ] {
        let error = DataEvent::from_body(body).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

/// Accepts every event, and creates no contact.
struct Accepting;

#[async_trait]
impl Transport for Accepting {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        Ok(Receipt::accepted())
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

#[tokio::test]
async fn a_tracker_takes_a_shared_or_boxed_transport() {
    let boxed: Box<dyn Transport> = Box::new(Accepting);
    let shared: Arc<dyn Transport> = Arc::from(boxed);
    let trackers = [
        Tracker::new(Accepting),
        Tracker::new(Arc::new(Accepting)),
        Tracker::new(Arc::clone(&shared)),
        Tracker::from(shared),
    ];
    let event = DynamicEvent::new("tested").unwrap();
    for tracker in trackers {
        let receipt = tracker.for_contact(Contact::user_id(1)).send(&event).await.unwrap();
        assert!(receipt.is_accepted() && !receipt.is_delivered());
        assert_eq!(receipt.status(), None);
        let error = tracker.create_contact(&Contact::user_id(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn wrappers_forward_events_and_contacts() {
    let sent = RecordingTransport::new();
    let failing: Arc<dyn Transport> = Arc::new(FailingTransport::new(sent.clone()));
    let wrapped = Arc::new(Arc::new(failing));
    let ada = Contact::email("ada@example.com");
    let event = DataEvent::new(&DynamicEvent::new("tested").unwrap(), ada.clone(), SECOND).unwrap();

    assert_eq!(wrapped.create_contact(&ada).await.unwrap(), ContactCreation::Created);
    // The caller may drop the transport before it awaits the future.
    let sending = wrapped.send(event.clone());
    tokio::spawn(sending).await.unwrap().unwrap();
    assert_eq!((sent.contacts(), sent.events()), (vec![ada], vec![event]));
}

#[tokio::test]
async fn the_recording_transport_knows_the_contacts_it_created() {
    let sent = RecordingTransport::new();
    let ada = Contact::email("ada@example.com");
    assert_eq!(sent.create_contact(&ada).await.unwrap(), ContactCreation::Created);
    assert_eq!(sent.create_contact(&ada).await.unwrap(), ContactCreation::Existed);
    assert_eq!(sent.contacts(), [ada]);
}

#[test]
fn a_tracker_is_cheap_to_clone_and_shared() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Tracker>();
    check::<intercom_core::ContactTracker>();
}
