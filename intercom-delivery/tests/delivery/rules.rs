//! Rules at admission: derived, renamed and dropped events, over failures and crashes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, ErrorKind, Timestamp};
use intercom_delivery::{Consent, Delivery, Rules};
use tokio::time::sleep;

use crate::scripted::{
    Act, DAY, HOUR, SECOND, Scripted, UnreliableOutbox, assert_ledger, guarded, made, named,
    number_of, send,
};

fn rules(text: &str) -> Rules {
    Rules::from_toml_unchecked(text).unwrap()
}

/// Returns the names and numbers of the accepted events, sorted.
fn taken(transport: &Scripted) -> Vec<(String, u64)> {
    let of = |event: &DataEvent| (event.event_name().to_string(), number_of(event));
    let mut taken: Vec<_> = transport.taken().iter().map(of).collect();
    taken.sort();
    taken
}

fn names(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rule_derives_renames_and_drops() {
    guarded(async {
        let transport = Scripted::taking();
        let rules = rules(
            r#"
            [[rule]]
            on = "paid"
            when = { number = { at_least = 2 } }
            also_send = "paid_much"
            [[rule]]
            name = "test accounts"
            on = "paid"
            when = { number = 3 }
            drop = true
            [[rule]]
            on = "old_name"
            rename = "new_name"
            # No rule applies to derived or renamed events.
            [[rule]]
            on = "paid_much"
            also_send = "paid"
            [[rule]]
            on = "new_name"
            drop = true
            "#,
        );
        let delivery = Delivery::builder(transport.clone()).rules(rules).start().unwrap();
        for event in [named("paid", 1), named("paid", 2), named("paid", 3), named("old_name", 4)] {
            send(&delivery, event).await;
        }
        assert!(delivery.flush(DAY).await.is_complete());
        let expected =
            [("new_name", 4), ("paid", 1), ("paid", 2), ("paid_much", 2), ("paid_much", 3)];
        assert_eq!(taken(&transport), names(&expected));
        let ledger = delivery.ledger().await.unwrap();
        assert_ledger(&ledger, 5, 0, 0);
        assert_eq!((ledger.accepted, ledger.derived, ledger.dropped), (4, 2, 1));
        let drops: Vec<_> = delivery.dropped_by_rule().into_iter().collect();
        assert_eq!(drops, [("test accounts".into(), 1)]);
        let line = ledger.to_string();
        assert_eq!(
            line,
            "4 accepted + 2 derived = 5 delivered + 0 dead + 0 pending + 1 dropped; 0 refused"
        );
    })
    .await;
}

/// Collisions are checked after the rules, by the sent name.
#[tokio::test(start_paused = true)]
async fn an_event_that_a_rule_derived_does_not_collide() {
    guarded(async {
        let transport = Scripted::taking();
        let rules = rules(
            r#"
            [[rule]]
            on = "b"
            rename = "a"
            [[rule]]
            on = "a"
            also_send = "also"
            "#,
        );
        let delivery = Delivery::builder(transport.clone()).rules(rules).start().unwrap();
        let at = Timestamp::from_unix_seconds(1_700_000_000);
        let event = |name: &str, number: u64| {
            let event = DynamicEvent::new(name).unwrap().with("number", number).unwrap();
            DataEvent::new(&event, Contact::user_id(1), at).unwrap()
        };
        delivery.send_all(&[event("a", 1), event("b", 2), event("a", 3)]).await.unwrap();
        assert!(delivery.flush(DAY).await.is_complete());
        let mut seconds: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for event in transport.taken() {
            let second = (event.created_at().unix_seconds()) - at.unix_seconds();
            seconds.entry(event.event_name().to_string()).or_default().push(second);
        }
        seconds.values_mut().for_each(|all| all.sort_unstable());
        // The third event was moved, and so was the event derived from it before.
        let expected = [("a".to_owned(), vec![0, 1, 2]), ("also".to_owned(), vec![0, 1])];
        assert_eq!(seconds, BTreeMap::from(expected));
        assert_eq!(delivery.ledger().await.unwrap().moved, 3);
    })
    .await;
}

/// A cause may wait beyond the window of Intercom's duplicates. Its derived event has the cause's
/// second.
#[tokio::test(start_paused = true)]
async fn a_late_derived_event_takes_no_used_second() {
    guarded(async {
        let transport = Scripted::taking();
        let given = Arc::new(AtomicBool::new(false));
        let sees = given.clone();
        let delivery = Delivery::builder(transport.clone())
            .rules(rules("[[rule]]\non = \"tested\"\nalso_send = \"also\""))
            .consent(move |_, event| {
                match event.event_name() == "also" || sees.load(Ordering::Relaxed) {
                    true => Consent::Given,
                    false => Consent::Later(HOUR),
                }
            })
            .start()
            .unwrap();
        let ada = || Contact::user_id(1);
        send(&delivery, made("tested", ada(), 1)).await;
        send(&delivery, made("also", ada(), 1)).await;
        sleep(SECOND).await;
        given.store(true, Ordering::Relaxed);
        assert!(delivery.flush(DAY).await.is_complete());
        let taken = transport.taken();
        let also = taken.iter().filter(|event| event.event_name() == "also");
        let seconds: Vec<_> = also.map(|event| event.created_at().unix_seconds()).collect();
        assert_eq!(seconds, [1_700_000_001, 1_700_000_002]);
        assert_eq!(delivery.ledger().await.unwrap().moved, 1);
    })
    .await;
}

/// The engine stores the rules' decisions before it sends.
#[tokio::test(start_paused = true)]
async fn no_request_goes_while_the_outbox_cannot_store_admissions() {
    guarded(async {
        let transport = Scripted::taking();
        let outbox = UnreliableOutbox::default();
        outbox.0.admitting_fails(true);
        let rules = rules("[[rule]]\non = \"tested\"\nalso_send = \"also\"");
        let builder = Delivery::builder(transport.clone()).outbox(outbox.clone()).rules(rules);
        let delivery = builder.start().unwrap();
        send(&delivery, named("tested", 1)).await;
        sleep(HOUR).await;
        assert_eq!(taken(&transport), []);
        outbox.0.admitting_fails(false);
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(taken(&transport), names(&[("also", 1), ("tested", 1)]));
    })
    .await;
}

/// Rules do not apply again at a retry, a redrive or a takeover.
#[tokio::test(start_paused = true)]
async fn an_event_meets_the_rules_once() {
    guarded(async {
        let transport = Scripted::new(|call| match call.before {
            0 => Act::fails(ErrorKind::Unavailable),
            1 => Act::status(422),
            _ => Act::taken(),
        });
        let text = "[[rule]]\non = \"tested\"\nalso_send = \"also\"\n\
                    [[rule]]\non = \"other\"\nrename = \"tested\"";
        let builder = Delivery::builder(transport.clone()).rules(rules(text));
        let delivery = builder.start().unwrap();
        send(&delivery, named("tested", 1)).await;
        send(&delivery, named("other", 2)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 3);
        assert_eq!(delivery.redrive(&intercom_delivery::Selection::All).await.unwrap(), 3);
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(taken(&transport), names(&[("also", 1), ("tested", 1), ("tested", 2)]));
        assert_eq!(delivery.ledger().await.unwrap().derived, 1);
    })
    .await;
}

/// Deliveries end at any moment, and the store fails now and then. Each cause has exactly one
/// derived event.
#[tokio::test(start_paused = true)]
async fn over_crashes_each_cause_has_exactly_one_derived_event() {
    for seed in 0..60 {
        guarded(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let transport = Scripted::new(move |call| {
                Act::taken_after(Duration::from_millis(call.number as u64 % 7 * 30))
            });
            let outbox = UnreliableOutbox::default();
            let text = "[[rule]]\non = \"tested\"\nwhen = { number = { not = 5 } }\n\
                        also_send = \"also\"\n\
                        [[rule]]\non = \"tested\"\nwhen = { number = { at_least = 20 } }\n\
                        drop = true\n\
                        [[rule]]\non = \"tested\"\nwhen = { number = 7 }\nrename = \"seventh\"";
            let start = || {
                let builder = Delivery::builder(transport.clone()).outbox(outbox.clone());
                builder.concurrency(3).rules(rules(text)).start().unwrap()
            };
            let mut number = 0;
            while number < 30 {
                let delivery = start();
                for _ in 0..random.u64(1..6) {
                    // Few contacts and seconds, so that some events collide.
                    send(&delivery, made("tested", Contact::user_id(number % 2), number)).await;
                    number += 1;
                }
                outbox.0.admitting_fails(random.u8(..3) == 0);
                sleep(Duration::from_millis(random.u64(..200))).await;
                drop(delivery);
                outbox.0.admitting_fails(false);
                sleep(Duration::from_millis(random.u64(..50))).await;
            }
            let delivery = start();
            sleep(10 * SECOND).await;
            let report = delivery.shutdown(DAY).await;
            assert!(report.is_complete(), "seed {seed}: {report}");
            let mut found = taken(&transport);
            // Events in flight at a crash are sent again, with the same bytes.
            found.dedup();
            let mut expected: Vec<_> = (0..number)
                .filter(|number| *number != 5)
                .map(|number| ("also".to_owned(), number))
                .collect();
            expected.push(("seventh".to_owned(), 7));
            let kept = (0..20).filter(|number| *number != 7);
            expected.extend(kept.map(|number| ("tested".to_owned(), number)));
            assert_eq!(found, expected, "seed {seed}");
            let counts = intercom_delivery::Outbox::counts(&outbox).await.unwrap();
            assert!(counts.is_balanced(), "{counts:?}");
            assert_eq!((counts.derived, counts.dropped), (number - 1, number - 20), "seed {seed}");
        })
        .await;
    }
}

/// A shutdown over an outbox in memory waits for derived events.
#[tokio::test(start_paused = true)]
async fn a_shutdown_and_a_flush_wait_for_derived_events() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let text = "[[rule]]\non = \"tested\"\nalso_send = \"also\"\n\
                    [[rule]]\non = \"tested\"\ndrop = true";
        let start = || {
            let builder = Delivery::builder(transport.clone()).concurrency(1);
            builder.rules(rules(text)).start().unwrap()
        };
        let delivery = start();
        send(&delivery, named("tested", 1)).await;
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(taken(&transport), names(&[("also", 1)]));
        send(&delivery, named("tested", 2)).await;
        assert!(delivery.shutdown(DAY).await.is_complete());
        assert_eq!(taken(&transport), names(&[("also", 1), ("also", 2)]));
    })
    .await;
}
