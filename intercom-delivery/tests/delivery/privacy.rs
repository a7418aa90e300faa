//! Consent, and erased contacts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use intercom_core::{Contact, ErrorKind, Receipt};
use intercom_delivery::conformance::{Forward, Forwarding};
use intercom_delivery::outbox::{ErasedEvents, Operate};
use intercom_delivery::{
    Consent, Delivery, MemoryOutbox, OutboxError, Rules, Selection, UnknownContact,
};
use tokio::time::sleep;
use tracing_subscriber::filter::LevelFilter;

use crate::scripted::{
    Act, DAY, HOUR, Logs, MINUTE, SECOND, Scripted, assert_ledger, guarded, made, named, numbers,
    send,
};

fn ada() -> Contact {
    Contact::user_id(1815).with_email("ada@analytical.example")
}

#[tokio::test(start_paused = true)]
async fn consent_is_asked_once_before_the_first_attempt_and_before_the_rules() {
    guarded(async {
        let transport = Scripted::queue([Act::fails(ErrorKind::Unavailable)]);
        let asked = Arc::new(AtomicU32::new(0));
        let rules = "[[rule]]\non = \"tested\"\nalso_send = \"also\"";
        let delivery = Delivery::builder(transport.clone())
            .rules(Rules::from_toml_unchecked(rules).unwrap())
            .consent({
                let asked = asked.clone();
                move |contact, event| {
                    asked.fetch_add(1, Ordering::Relaxed);
                    match (contact.as_user_id(), event.event_name().as_str()) {
                        (Some("1"), _) | (_, "also") => Consent::Denied,
                        _ => Consent::Given,
                    }
                }
            })
            .start()
            .unwrap();
        for number in [1, 2] {
            send(&delivery, named("tested", number)).await;
        }
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(numbers(&transport.taken()), [2]);
        let ledger = delivery.ledger().await.unwrap();
        assert_ledger(&ledger, 1, 0, 0);
        // The denied event derives nothing, and consent is asked for each derived event.
        assert_eq!((ledger.derived, ledger.withheld), (1, 2));
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_rules_apply_when_a_late_consent_comes() {
    guarded(async {
        let transport = Scripted::taking();
        let given = Arc::new(AtomicBool::new(false));
        let rules = "[[rule]]\non = \"tested\"\nalso_send = \"also\"";
        let delivery = Delivery::builder(transport.clone())
            .rules(Rules::from_toml_unchecked(rules).unwrap())
            .consent({
                let given = given.clone();
                move |_, event| match given.load(Ordering::Relaxed) || event.event_name() == "other"
                {
                    true => Consent::Given,
                    false => Consent::Later(10 * MINUTE),
                }
            })
            .start()
            .unwrap();
        send(&delivery, named("tested", 1)).await;
        send(&delivery, named("other", 2)).await;
        sleep(HOUR + MINUTE).await;
        assert_eq!(numbers(&transport.taken()), [2]);
        assert_eq!(delivery.ledger().await.unwrap().pending, 1);
        given.store(true, Ordering::Relaxed);
        sleep(10 * MINUTE).await;
        assert_eq!(numbers(&transport.taken()), [1, 1, 2]);
        assert_ledger(&delivery.ledger().await.unwrap(), 3, 0, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_hook_is_contained_and_sends_nothing() {
    guarded(async {
        let transport = Scripted::taking();
        let calls = AtomicU32::new(0);
        let delivery = Delivery::builder(transport.clone())
            .consent(move |_, _| match calls.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("as the script says"),
                _ => Consent::Given,
            })
            .start()
            .unwrap();
        send(&delivery, named("tested", 1)).await;
        sleep(59 * SECOND).await;
        assert_eq!(transport.taken().len(), 0);
        assert!(delivery.flush(DAY).await.is_complete());
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.delivered, ledger.panics), (1, 1));
    })
    .await;
}

/// Pending events, dead letters, events in flight and later events, by any identifier.
#[tokio::test(start_paused = true)]
async fn an_erased_contact_is_gone_and_stays_so_until_it_is_forgiven() {
    guarded(async {
        let transport = Scripted::new(|call| match call.event.event_name().as_str() {
            "refused" => Act::status(422),
            "slow" => Act::Late(5 * SECOND, Ok(Receipt::delivered(202).with_request_id("req-7"))),
            "failing" => Act::Late(SECOND, Err(crate::scripted::answer(503))),
            _ => Act::taken(),
        });
        let delivery = Delivery::builder(transport.clone()).concurrency(2).start().unwrap();
        send(&delivery, made("refused", ada(), 1)).await;
        send(&delivery, made("refused", Contact::user_id(7), 2)).await;
        sleep(SECOND).await;
        // Two events are in flight, and the rest waits.
        send(&delivery, made("slow", Contact::email("ADA@analytical.example"), 3)).await;
        send(&delivery, made("failing", ada(), 4)).await;
        sleep(Duration::from_millis(10)).await;
        send(&delivery, made("tested", ada(), 5)).await;
        send(&delivery, made("tested", Contact::user_id(7), 6)).await;

        let logs = Logs::capture(LevelFilter::TRACE);
        let before = transport.elapsed();
        let erased = delivery.erase(&ada()).await.unwrap();
        assert_eq!(transport.elapsed() - before, 5 * SECOND - Duration::from_millis(10));
        assert_eq!((erased.pending, erased.dead_letters), (3, 1));
        let found: Vec<_> = erased
            .in_flight
            .iter()
            .map(|one| (&*one.event_name, one.is_delivered, one.status, one.request_id.as_deref()))
            .collect();
        let expected =
            [("failing", false, Some(503), Some("req")), ("slow", true, Some(202), Some("req-7"))];
        assert_eq!(found, expected);

        // The tombstone matches any identifier.
        for contact in [Contact::user_id(1815), Contact::email("Ada@Analytical.example"), ada()] {
            send(&delivery, made("tested", contact, 10)).await;
        }
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(numbers(&transport.taken()), [3, 6]);
        let ledger = delivery.ledger().await.unwrap();
        assert_ledger(&ledger, 1, 1, 0);
        assert_eq!((ledger.erased, ledger.withheld, ledger.dead_letters), (4, 3, 1));
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 1);

        assert!(delivery.forgive(&ada()).await.unwrap());
        assert!(!delivery.forgive(&ada()).await.unwrap());
        send(&delivery, made("tested", ada(), 11)).await;
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(numbers(&transport.taken()), [3, 6, 11]);
        let said = logs.0.text();
        assert!(said.contains("a contact was erased"), "{said}");
        for identifier in ["1815", "analytical", "Analytical"] {
            assert!(!said.contains(identifier), "{said}");
        }
    })
    .await;
}

/// The delivery creates no erased contact, and does not look up one whose events fail.
#[tokio::test(start_paused = true)]
async fn an_erased_contact_is_not_created_again() {
    guarded(async {
        let transport = Scripted::new(|_| Act::fails(ErrorKind::UnknownContact))
            .creating(|_| Act::fails(ErrorKind::Unavailable));
        let delivery = Delivery::builder(transport.clone())
            .unknown_contact(UnknownContact::Create)
            .start()
            .unwrap();
        for number in 0..5 {
            send(&delivery, made("tested", ada(), number)).await;
        }
        sleep(10 * SECOND).await;
        assert!(!transport.creations().is_empty());
        let erased = delivery.erase(&ada()).await.unwrap();
        assert_eq!(erased.pending, 5);
        let before = transport.creations().len();
        send(&delivery, made("tested", ada(), 9)).await;
        sleep(HOUR).await;
        assert_eq!(transport.creations().len(), before);
        let ledger = delivery.ledger().await.unwrap();
        assert_ledger(&ledger, 0, 0, 0);
        assert_eq!((ledger.erased, ledger.withheld), (5, 1));
    })
    .await;
}

/// The tombstone holds for the next deliverer too.
#[tokio::test(start_paused = true)]
async fn a_takeover_knows_erased_contacts() {
    guarded(async {
        let transport = Scripted::taking();
        let outbox = Arc::new(MemoryOutbox::new());
        let start = || Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        let first = start();
        sleep(SECOND).await;
        let standby = start();
        sleep(SECOND).await;
        // Called on the process that does not deliver.
        let erased = standby.erase(&ada()).await.unwrap();
        assert_eq!((erased.pending, erased.in_flight.len()), (0, 0));
        send(&first, made("tested", ada(), 1)).await;
        send(&standby, made("tested", ada(), 2)).await;
        sleep(SECOND).await;
        drop(first);
        sleep(SECOND).await;
        send(&standby, made("tested", ada(), 3)).await;
        send(&standby, named("tested", 4)).await;
        assert!(standby.flush(DAY).await.is_complete());
        assert_eq!(numbers(&transport.taken()), [4]);
        assert_eq!(standby.ledger().await.unwrap().withheld, 3);
    })
    .await;
}

/// An outbox that erases nothing.
struct Failing(Arc<MemoryOutbox>, Arc<AtomicBool>);

#[intercom_core::async_trait]
impl Forward for Failing {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.0
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        sleep(SECOND).await;
        match self.1.load(Ordering::Relaxed) {
            true => Err(OutboxError::new("the disk is full")),
            false => Operate::erase(&*self.0, contact).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn if_the_store_cannot_erase_the_events_are_sent() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(100 * Duration::from_millis(1)));
        let fails = Arc::new(AtomicBool::new(true));
        let outbox = Forwarding(Failing(Arc::default(), fails.clone()));
        let builder = Delivery::builder(transport.clone()).outbox(outbox).concurrency(1);
        let delivery = builder.start().unwrap();
        let events: Vec<_> = (0..4).map(|number| made("tested", ada(), number)).collect();
        delivery.send_all(&events).await.unwrap();
        sleep(Duration::from_millis(50)).await;
        assert!(delivery.erase(&ada()).await.is_err());
        // No event was sent during the erasure.
        assert_eq!(numbers(&transport.taken()), [0]);
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(numbers(&transport.taken()), [0, 1, 2, 3]);
        fails.store(false, Ordering::Relaxed);
        delivery.erase(&ada()).await.unwrap();
        send(&delivery, made("tested", ada(), 9)).await;
        assert!(delivery.flush(DAY).await.is_complete());
        assert_ledger(&delivery.ledger().await.unwrap(), 4, 0, 0);
    })
    .await;
}
