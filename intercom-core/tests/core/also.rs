//! Events that `also` derives from another event.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use intercom_core::testing::{FailingTransport, RecordingTransport};
use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, IntercomEvent, Receipt, SendError, Timestamp,
    Tracker, Transport, async_trait,
};

use crate::encode;

#[derive(IntercomEvent)]
#[event(name = "invoice_paid", also = big_invoice, also = rules::abroad)]
struct InvoicePaid<'a> {
    cents: u64,
    plan: &'a str,
    country: &'a str,
}

#[derive(IntercomEvent)]
#[event(name = "big_invoice_paid", also = never)]
struct BigInvoicePaid<'a> {
    cents: u64,
    plan: &'a str,
}

fn big_invoice<'a>(paid: &InvoicePaid<'a>) -> Option<BigInvoicePaid<'a>> {
    let big = paid.cents >= 100_000 && paid.plan != "free";
    big.then_some(BigInvoicePaid { cents: paid.cents, plan: paid.plan })
}

fn never(_: &BigInvoicePaid<'_>) -> Option<BigInvoicePaid<'static>> {
    panic!("a derived event derives none")
}

mod rules {
    use super::{Abroad, InvoicePaid};

    pub(super) fn abroad<'e>(paid: &'e InvoicePaid<'_>) -> Option<Abroad<'e>> {
        (paid.country != "DE")
            .then_some(Abroad { desk: "sales@example.com", country: paid.country })
    }
}

#[derive(IntercomEvent)]
#[event(name = "paid_abroad")]
struct Abroad<'a> {
    #[event(email)]
    desk: &'a str,
    country: &'a str,
}

const BIG: InvoicePaid<'_> = InvoicePaid { cents: 200_000, plan: "pro", country: "FR" };

#[test]
fn a_derived_event_has_the_second_of_its_cause_and_its_contact_unless_it_names_one() {
    let event = encode(&BIG).unwrap();
    let [big, abroad] = event.derived() else { panic!("{event:?}") };
    assert_eq!(
        big.body(),
        r#"{"event_name":"big_invoice_paid","created_at":1700000000,"user_id":"1","metadata":{"cents":200000,"plan":"pro"}}"#
    );
    assert_eq!(
        abroad.body(),
        r#"{"event_name":"paid_abroad","created_at":1700000000,"email":"sales@example.com","metadata":{"country":"FR"}}"#
    );
    assert!(big.derived().is_empty(), "depth one");
    assert_eq!(format!("{event:?}").matches("paid_abroad").count(), 1);
}

#[test]
fn a_function_that_returns_none_derives_nothing() {
    let event = encode(&InvoicePaid { plan: "free", country: "DE", ..BIG }).unwrap();
    assert!(event.derived().is_empty());
    let event = encode(&&Box::new(InvoicePaid { plan: "free", ..BIG })).unwrap();
    assert_eq!(event.derived().len(), 1, "through references and smart pointers");
}

#[test]
fn an_event_is_split_from_those_that_are_derived_from_it() {
    let whole = encode(&BIG).unwrap();
    let (event, derived) = whole.clone().split_derived();
    assert!(event.derived().is_empty());
    assert_eq!(event.body(), whole.body());
    assert_eq!(derived, whole.derived());
    assert_ne!(event, whole);
    let moved = whole.moved_to(Timestamp::from_unix_seconds(1_700_000_001));
    assert_eq!(moved.derived(), whole.derived(), "each event is moved alone");
}

#[derive(IntercomEvent)]
enum Lamp<T: Clone> {
    #[event(name = "lamp_lit", also = Lamp::glow, also = Lamp::burnt)]
    Lit { lumens: T },
    #[event(name = "lamp_glowed")]
    Glowed { lumens: T },
    #[event(name = "lamp_put_out")]
    PutOut,
}

impl<T: Clone> Lamp<T> {
    fn glow(&self) -> Option<Lamp<T>> {
        match self {
            Lamp::Lit { lumens } => Some(Lamp::Glowed { lumens: lumens.clone() }),
            _ => panic!("only of its own variant"),
        }
    }

    fn burnt(&self) -> Option<Burnt> {
        Some(Burnt { at: UNIX_EPOCH + Duration::from_secs(7) })
    }
}

#[derive(IntercomEvent)]
#[event(name = "lamp_burnt")]
struct Burnt {
    #[event(created_at)]
    at: std::time::SystemTime,
}

#[test]
fn a_variant_derives_from_the_enum_also_into_the_same_enum() {
    let event = encode(&Lamp::Lit { lumens: 7_u8 }).unwrap();
    let names: Vec<_> = event.derived().iter().map(DataEvent::event_name).collect();
    assert_eq!(names, ["lamp_glowed", "lamp_burnt"]);
    assert_eq!(event.derived()[0].metadata().unwrap(), br#"{"lumens":7}"#);
    assert_eq!(event.derived()[1].created_at(), event.created_at(), "its own time does not count");
    assert!(encode(&Lamp::<u8>::PutOut).unwrap().derived().is_empty());

    let also = Lamp::<u8>::ALSO;
    assert_eq!(also.len(), 2);
    assert!(also.iter().all(|also| also.event == "lamp_lit"));
    assert_eq!(also[0].derived, Lamp::<u8>::EVENTS);
    assert_eq!(also[1].derived, Burnt::EVENTS);
    assert_eq!(<&Lamp<u8>>::ALSO, also);
}

#[test]
fn a_derived_event_that_is_invalid_stops_its_cause() {
    #[derive(IntercomEvent)]
    #[event(name = "measured", also = share)]
    struct Measured {
        part: f64,
    }

    #[derive(IntercomEvent)]
    #[event(name = "share_measured")]
    struct Share {
        share: f64,
    }

    fn share(measured: &Measured) -> Option<Share> {
        Some(Share { share: measured.part / 0.0 })
    }

    let error = encode(&Measured { part: 1.0 }).unwrap_err();
    assert_eq!((error.event_name().as_str(), error.key()), ("share_measured", Some("share")));
}

fn tracker(transport: impl Transport + 'static) -> intercom_core::ContactTracker {
    Tracker::new(transport).for_contact(Contact::user_id(1))
}

#[tokio::test]
async fn without_a_delivery_derived_events_are_sent_in_turn() {
    let sent = RecordingTransport::new();
    let receipt = tracker(sent.clone()).send(&BIG).await.unwrap();
    assert!(receipt.is_delivered());
    let events = sent.events();
    let names: Vec<_> = events.iter().map(DataEvent::event_name).collect();
    assert_eq!(names, ["invoice_paid", "big_invoice_paid", "paid_abroad"]);
}

#[tokio::test]
async fn the_first_error_ends_the_sending_and_a_repeat_is_safe() {
    /// Fails once for an event with this name.
    struct FailsFor(&'static str, FailingTransport, RecordingTransport);

    #[async_trait]
    impl Transport for FailsFor {
        async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
            if event.event_name() == self.0 {
                return Arc::new(self.1.clone()).send(event).await;
            }
            Arc::new(self.2.clone()).send(event).await
        }

        async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
            Ok(ContactCreation::Existed)
        }
    }

    let sent = RecordingTransport::new();
    let failing = FailingTransport::new(sent.clone()).fail(ErrorKind::Timeout);
    let tracker = Tracker::new(FailsFor("big_invoice_paid", failing, sent.clone()));
    let prepared = tracker.for_contact(Contact::user_id(1)).prepare(&BIG).unwrap();

    let error = tracker.send_prepared(prepared.clone()).await.unwrap_err();
    assert_eq!(error.event_name().unwrap(), "big_invoice_paid");
    assert_eq!(sent.take(), std::slice::from_ref(&prepared), "later events are not sent");

    tracker.send_prepared(prepared.clone()).await.unwrap();
    let again = sent.take();
    assert_eq!(again[0], prepared, "with the same second, so that Intercom sees a duplicate");
    assert_eq!(again[1..], *prepared.derived());
}

#[tokio::test]
async fn a_transport_that_accepts_an_event_takes_its_derived_events_too() {
    /// Stores each event, as a delivery does.
    struct Accepting(RecordingTransport);

    #[async_trait]
    impl Transport for Accepting {
        async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
            Arc::new(self.0.clone()).send(event).await?;
            Ok(Receipt::accepted())
        }

        async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
            Ok(ContactCreation::Existed)
        }
    }

    let sent = RecordingTransport::new();
    tracker(Accepting(sent.clone())).send(&BIG).await.unwrap();
    let events = sent.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].derived().len(), 2);
}
