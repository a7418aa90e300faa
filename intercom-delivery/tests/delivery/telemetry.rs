//! Telemetry: logs without secrets, and metrics that agree with the ledger.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use intercom_core::{Contact, ContactCreation, DataEvent, DynamicEvent, ErrorKind, Timestamp};
use intercom_delivery::{
    Backpressure, Consent, DeadLetterReason, Delivery, Ledger, MemoryOutbox, Outbox, RetryPolicy,
    Rules, Selection, StartError, UnknownContact,
};
use intercom_rules::Rule;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::time::{Instant, sleep, timeout};
use tracing_subscriber::filter::LevelFilter;

use crate::scripted::{
    Act, DAY, HOUR, Logs, MINUTE, SECOND, Scripted, UnreliableOutbox, answer, event, guarded, lock,
    name_limit, send,
};

/// An event that is full of secrets.
fn secret(name: &str, number: u64) -> DataEvent {
    let contact = Contact::email(format!("sEcReT-{number}@example.com"))
        .with_user_id(format!("sEcReT-user-{}", number % 40));
    let event = DynamicEvent::new(name)
        .unwrap()
        .with("text", format!("sEcReT-text-{number}"))
        .unwrap()
        .with_sensitive("iban", format!("sEcReT-iban-{number}"))
        .unwrap()
        .with("number", 987_654_321_000 + number)
        .unwrap();
    let second = Timestamp::from_unix_seconds(1_700_000_000 + (number % 3) as i64);
    DataEvent::new(&event, contact, second).unwrap()
}

/// Rules that compare with a secret, but show none.
fn rules() -> Rules {
    let text = "[[rule]]\nname = \"by kind\"\non = \"old\"\nalso_send = \"new\"\n\
                when = { number = { one_of = [987654321006, 987654321007] } }\ndrop = true\n\
                [[rule]]\non = \"old\"\nwhen = { iban = { is = \"sEcReT-iban-9\" } }\n\
                rename = \"new\"";
    Rules::from_toml_unchecked(text).unwrap()
}

/// Runs a delivery in which everything happens, and returns what its handles show.
async fn everything_that_can_happen() -> String {
    let mut shown = String::new();
    let policies =
        [UnknownContact::DeadLetter, UnknownContact::RetryFor(20 * SECOND), UnknownContact::Create];
    for (round, policy) in policies.into_iter().enumerate() {
        let transport = Scripted::new(move |call| match call.number % 23 {
            1 => Act::status(422),
            2 | 3 => Act::status(404),
            4 => Act::status(503),
            5 => Act::PanicInPoll,
            6 => Act::PanicAtCall,
            7 => Act::Hang,
            8 => Act::status(409),
            9 => Act::End(Err(answer(429).with_retry_after(SECOND))),
            10 if call.number < 100 => Act::status(401),
            11 if call.event.event_name() == "new" => Act::End(Err(name_limit())),
            12 => Act::fails(ErrorKind::Connection),
            _ => Act::taken_after(SECOND / 10),
        });
        let transport = transport.creating(|call| match call.number % 9 {
            0 => Act::status(403),
            1 => Act::End(Ok(ContactCreation::Archived)),
            2 => Act::status(422),
            3 => Act::status(503),
            4 => Act::PanicInPoll,
            5 => Act::Hang,
            6 => Act::status(401),
            _ => Act::created(),
        });
        let outbox = UnreliableOutbox::default();
        let delivery = Delivery::builder(transport.clone())
            .unknown_contact(policy)
            .outbox(outbox.clone())
            .retry(RetryPolicy::new().max_attempts(6).max_age(HOUR))
            .ledger_interval(SECOND)
            .on_dead_letter(|letter| assert!(letter.id.get() % 5 > 0, "as the script says"))
            .rules(rules())
            .consent(|contact, _| match contact.as_user_id() {
                Some("sEcReT-user-39") => Consent::Denied,
                Some("sEcReT-user-38") => Consent::Later(SECOND),
                Some("sEcReT-user-37") => panic!("as the script says"),
                _ => Consent::Given,
            })
            .start()
            .unwrap();
        let tracker = delivery.tracker();
        shown += &format!("{tracker:?}");
        for number in 0..300 {
            let name = if number % 4 == 0 { "new" } else { "old" };
            let event = secret(name, number);
            shown += &format!("{event:?} {:?}", tracker.send_prepared(event.clone()));
            tracker.send_prepared(event).await.unwrap();
        }
        outbox.0.settling_fails(true);
        sleep(2 * SECOND).await;
        shown +=
            &format!("{delivery:?} {} {}", delivery.status(), delivery.ledger().await.unwrap());
        outbox.0.settling_fails(false);
        sleep(2 * SECOND).await;
        outbox.0.leasing_fails(true);
        sleep(MINUTE).await;
        shown += &format!("{delivery:?} {}", delivery.status());
        outbox.0.leasing_fails(false);
        delivery.resume();
        sleep(MINUTE).await;
        let ada = Contact::user_id("sEcReT-user-1");
        shown += &format!("{:?}", delivery.erase(&ada).await.unwrap());
        assert!(delivery.forgive(&ada).await.unwrap());
        // An explanation shows the rule's own values, and none of the event's.
        let has_iban =
            "[[rule]]\non = \"old\"\nwhen = { iban = { starts_with = \"DE\" } }\ndrop = true";
        let explained = Rules::from_toml_unchecked(has_iban).unwrap().explain(&secret("old", 6));
        shown += &format!("{explained:?} {explained}");
        delivery.redrive(&Selection::All).await.unwrap();
        let _ = timeout(2 * HOUR, delivery.flush(DAY)).await;
        outbox.0.accepting_fails(true);
        shown += &format!("{:?}", tracker.send_prepared(secret("old", 1)).await.unwrap_err());
        outbox.0.accepting_fails(false);
        for letter in delivery.dead_letters(None, 1000).await.unwrap() {
            shown += &format!("{letter:?} {:?}", letter.failure);
        }
        delivery.purge(&Selection::Reason(DeadLetterReason::Rejected)).await.unwrap();
        tracker.send_prepared(secret("old", 500)).await.unwrap();
        if round == 0 {
            drop(delivery);
        } else {
            shown += &format!("{:?}", delivery.shutdown(10 * SECOND).await);
        }
        shown += &format!("{:?}", tracker.send_prepared(secret("old", 2)).await.unwrap_err());
    }
    let full = Delivery::builder(Scripted::new(|_| Act::Hang))
        .outbox(MemoryOutbox::new().capacity(1))
        .backpressure(Backpressure::Refuse)
        .start()
        .unwrap();
    send(&full, secret("old", 1)).await;
    let refused = full.tracker().send_prepared(secret("old", 2)).await;
    shown += &format!("{:?}", refused.unwrap_err());
    shown
}

#[tokio::test(start_paused = true)]
async fn no_log_holds_a_contact_or_a_value() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::TRACE);
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let shown = everything_that_can_happen().await;
        let text = logs.text();
        let measured = format!("{:?}", snapshotter.snapshot().into_vec());
        for told in ["dropped_total", "derived_total", "withheld_total", "by kind"] {
            assert!(measured.contains(told), "no metric shows: {told}");
        }
        for text in [&text, &shown, &measured] {
            for secret in ["sEcReT", "secret", "987654321", "example.com"] {
                let line = text.lines().find(|line| line.contains(secret));
                assert_eq!(line, None);
            }
        }
        // The log must not be empty.
        for told in [
            "event will be sent again",
            "event is a dead letter",
            "Intercom takes no events of this name",
            "panicked; the panic was contained",
            "delivery is stopped",
            "Intercom takes events again",
            "Intercom asks for a pause",
            "contacts are not created",
            "the outbox cannot settle events",
            "the outbox cannot lease events",
            "the outbox works again",
            "ledger of events",
            "delivery was dropped without a shutdown",
            "events not accepted",
        ] {
            assert!(text.contains(told), "no line has: {told}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_ledger_is_logged_only_when_it_has_changed() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport).ledger_interval(10 * SECOND).start().unwrap();
        let lines = || logs.lines("ledger of events");
        // Away from the moment of the next log line.
        sleep(HOUR + 5 * SECOND).await;
        assert_eq!(lines().len(), 0);
        for number in 0..3 {
            send(&delivery, event(number)).await;
        }
        sleep(5 * MINUTE).await;
        assert_eq!(lines().len(), 1, "{:?}", lines());
        for part in ["INFO", "accepted=3", "refused=0", "delivered=3", "pending=0"] {
            assert!(lines()[0].contains(part), "{:?}", lines());
        }
        for number in 3..9 {
            send(&delivery, event(number)).await;
            sleep(10 * SECOND).await;
        }
        assert_eq!(lines().len(), 7, "{:?}", lines());
        // The end logs the last change.
        send(&delivery, event(9)).await;
        assert!(delivery.flush(DAY).await.is_complete());
        let _ = delivery.shutdown(MINUTE).await;
        assert_eq!(lines().len(), 8);
        assert!(lines()[7].contains("delivered=10"), "{:?}", lines());
    })
    .await;
}

/// Returns the counters by name and label, and the number of values of each histogram.
fn metrics(snapshotter: &Snapshotter) -> HashMap<String, f64> {
    let mut found = HashMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(gauge) => gauge.into_inner(),
            DebugValue::Histogram(values) => values.len() as f64,
        };
        let name = key.key().name();
        let name = name.strip_prefix("intercom_delivery_").unwrap_or(name);
        let labels: Vec<_> = key.key().labels().collect();
        let name = match labels.iter().find(|label| !label.key().starts_with("messaging.")) {
            Some(label) => {
                // The gauge is a sum too.
                *found.entry(name.to_owned()).or_default() += value;
                format!("{name} {}", label.value())
            }
            None => name.to_owned(),
        };
        *found.entry(name).or_default() += value;
    }
    found
}

#[track_caller]
fn assert_metrics_are_the_ledger(found: &HashMap<String, f64>, ledger: &Ledger) {
    let is = |name: &str, expected: u64| {
        let found = found.get(name).copied().unwrap_or_default();
        assert_eq!(found, expected as f64, "{name}");
    };
    is("accepted_total", ledger.accepted);
    is("delivered_total", ledger.delivered);
    is("panics_total", ledger.panics);
    is("refused_total", ledger.refused.total());
    is("refused_total full", ledger.refused.full);
    is("refused_total closed", ledger.refused.closed);
    is("refused_total storage", ledger.refused.storage);
    is("refused_total unsupported", ledger.refused.unsupported);
    is("refused_total abandoned", ledger.refused.abandoned);
    for reason in DeadLetterReason::ALL {
        is(&format!("dead_total {reason}"), ledger.deaths.of(*reason));
    }
    is("pending", ledger.pending);
    is("delay_seconds", ledger.delivered);
    is("derived_total", ledger.derived);
    is("dropped_total", ledger.dropped);
    is("withheld_total", ledger.withheld);
}

#[tokio::test(start_paused = true)]
async fn the_metrics_agree_with_the_ledger_about_rules_and_consent() {
    guarded(async {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let text = "[[rule]]\non = \"tested\"\nalso_send = [\"one\", \"two\"]\n\
                    [[rule]]\nname = \"odd\"\non = \"tested\"\n\
                    when = { number = { above = 6 } }\ndrop = true";
        let delivery = Delivery::builder(Scripted::taking())
            .rules(Rules::from_toml_unchecked(text).unwrap())
            .consent(|contact, _| match contact.as_user_id() {
                Some("3") => Consent::Denied,
                _ => Consent::Given,
            })
            .start()
            .unwrap();
        delivery.erase(&Contact::user_id(4)).await.unwrap();
        for number in 0..10 {
            send(&delivery, event(number)).await;
        }
        assert!(delivery.flush(DAY).await.is_complete());
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.derived, ledger.dropped, ledger.withheld), (16, 3, 2));
        let found = metrics(&snapshotter);
        assert_metrics_are_the_ledger(&found, &ledger);
        assert_eq!(found["dropped_total odd"], 3.0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_metrics_agree_with_the_ledger() {
    guarded(async {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let transport = Scripted::new(|call| match call.number % 11 {
            1 => Act::status(422),
            2 => Act::status(404),
            3 => Act::status(503),
            4 => Act::PanicInPoll,
            5 => Act::status(429),
            6 => Act::Hang,
            _ => Act::taken_after(SECOND / 10),
        });
        let outbox = MemoryOutbox::new().capacity(200);
        let (delivery, tracker) = Delivery::builder(transport.clone())
            .unknown_contact(UnknownContact::DeadLetter)
            .start_in_memory(outbox)
            .unwrap();
        for number in 0..200 {
            tracker.send_prepared(event(number)).await.unwrap();
        }
        let ada = tracker.for_contact(Contact::user_id("ada"));
        for _ in 0..5 {
            let _ = ada.try_send(&DynamicEvent::new("tested").unwrap());
        }
        let many: Vec<_> = (1000..1200).map(event).collect();
        assert!(timeout(SECOND / 1000, delivery.send_all(&many)).await.is_err());
        let _ = delivery.flush(DAY).await;
        delivery.send_all(&many[..50]).await.unwrap();
        let _ = delivery.flush(DAY).await;
        let dead = delivery.ledger().await.unwrap().dead;
        assert!(dead > 0);
        delivery.purge(&Selection::All).await.unwrap();
        let _ = delivery.shutdown(MINUTE).await;
        let _ = tracker.send_prepared(event(5000)).await;

        let found = metrics(&snapshotter);
        assert_metrics_are_the_ledger(&found, &delivery.ledger().await.unwrap());
        let attempts = transport.attempts().len() as f64;
        assert_eq!(found["attempts_total"], attempts);
        assert_eq!(found["attempt_seconds"], attempts);
        assert_eq!(found["messaging.process.duration"], attempts);
        let refused = delivery.ledger().await.unwrap().refused.full as f64;
        assert_eq!(found["messaging.client.sent.messages full"], refused);
        assert_eq!(
            found["attempts_total delivered"],
            delivery.ledger().await.unwrap().delivered as f64
        );
        assert!(found["attempts_total rate_limited"] > 0.0);
        assert!(found["attempts_total panicked"] > 0.0);
        assert!(found["attempts_total timeout"] > 0.0);
    })
    .await;
}

/// However late its settlement succeeds, an event is sent once.
#[tokio::test(start_paused = true)]
async fn the_metrics_agree_with_the_ledger_after_late_settlements() {
    guarded(async {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let outbox = UnreliableOutbox::default();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        outbox.0.settling_fails(true);
        for number in 0..10 {
            send(&delivery, event(number)).await;
        }
        sleep(20 * MINUTE).await;
        outbox.0.settling_fails(false);
        assert_eq!(delivery.flush(DAY).await.delivered, 10);
        assert_eq!(transport.taken().len(), 10);
        let ledger = delivery.ledger().await.unwrap();
        assert_metrics_are_the_ledger(&metrics(&snapshotter), &ledger);
    })
    .await;
}

/// The gauge must show that events pile up.
#[tokio::test(start_paused = true)]
async fn the_gauge_of_pending_events_rises_while_nothing_is_sent() {
    guarded(async {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let paused = Arc::new(AtomicBool::new(false));
        let sees = paused.clone();
        let transport = Scripted::new(move |_| match sees.swap(true, Ordering::SeqCst) {
            false => Act::End(Err(answer(429).with_retry_after(HOUR))),
            true => Act::taken(),
        });
        let delivery = Delivery::builder(transport).start().unwrap();
        send(&delivery, event(0)).await;
        sleep(SECOND).await;
        for number in 1..100 {
            send(&delivery, event(number)).await;
        }
        sleep(10 * MINUTE).await;
        assert_eq!(delivery.ledger().await.unwrap().pending, 100);
        assert_eq!(metrics(&snapshotter).get("pending"), Some(&100.0));
    })
    .await;
}

/// A dead engine logs a line.
#[tokio::test(start_paused = true)]
async fn an_engine_that_dies_of_its_outbox_says_so() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let outbox = UnreliableOutbox::default();
        outbox.0.settling_panics(true);
        let delivery = Delivery::builder(Scripted::taking()).outbox(outbox).start().unwrap();
        send(&delivery, event(0)).await;
        assert_eq!(delivery.flush(DAY).await.pending, 1);
        let closed = delivery.tracker().send_prepared(event(1)).await.unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Closed);
        assert!(!logs.lines("ERROR").is_empty(), "{}", logs.text());
    })
    .await;
}

/// Each dead letter is also logged, with its reason.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_a_warning_with_its_reason() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let told = Arc::new(Mutex::new(0));
        let hook = told.clone();
        let delivery = Delivery::builder(Scripted::queue([Act::status(422)]))
            .on_dead_letter(move |_| *lock(&hook) += 1)
            .start()
            .unwrap();
        send(&delivery, event(0)).await;
        let _ = delivery.flush(DAY).await;
        let lines = logs.lines("event is a dead letter");
        assert_eq!((lines.len(), *lock(&told)), (1, 1));
        for part in ["WARN", "tested", "rejected", "attempts=1", "HTTP 422"] {
            assert!(lines[0].contains(part), "{lines:?}");
        }
    })
    .await;
}

/// An absent metric looks like 0, and an alert on it never fires.
#[tokio::test(start_paused = true)]
async fn every_metric_is_there_from_the_start_with_its_help_and_labels() {
    guarded(async {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let rules = Rules::builder().rule(Rule::on("tested").name("never").drop_event());
        let delivery = Delivery::builder(Scripted::taking())
            .label("workspace", "acme")
            .label("region", "us")
            .label("region", "eu")
            .rules(rules.build_unchecked().unwrap())
            .start()
            .unwrap();
        let mut found = Vec::new();
        for (key, _, help, _) in snapshotter.snapshot().into_vec() {
            let name = key.key().name().to_owned();
            assert!(help.is_some_and(|help| help.ends_with('.')), "{name} has no help");
            let labels: Vec<_> =
                key.key().labels().map(|label| (label.key(), label.value())).collect();
            for label in [("workspace", "acme"), ("region", "eu")] {
                let with = labels.iter().filter(|one| one.0 == label.0).collect::<Vec<_>>();
                assert_eq!(with, [&label], "{name}: {labels:?}");
            }
            found.push(name);
        }
        found.sort();
        found.dedup();
        assert_eq!(
            found,
            [
                "intercom_delivery_accepted_total",
                "intercom_delivery_attempt_seconds",
                "intercom_delivery_attempts_total",
                "intercom_delivery_breaker_state",
                "intercom_delivery_dead_total",
                "intercom_delivery_delay_seconds",
                "intercom_delivery_delivered_total",
                "intercom_delivery_derived_total",
                "intercom_delivery_dropped_total",
                "intercom_delivery_fenced_total",
                "intercom_delivery_is_deliverer",
                "intercom_delivery_oldest_pending_seconds",
                "intercom_delivery_panics_total",
                "intercom_delivery_pending",
                "intercom_delivery_refused_total",
                "intercom_delivery_takeovers_total",
                "intercom_delivery_withheld_total",
                "messaging.client.consumed.messages",
                "messaging.client.sent.messages",
                "messaging.process.duration",
            ]
        );
        drop(delivery);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_gauges_tell_the_breaker_the_oldest_event_and_who_delivers() {
    guarded(async {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let transport = Scripted::new(|_| Act::status(503));
        let outbox = Arc::new(MemoryOutbox::new());
        let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        send(&delivery, event(0)).await;
        sleep(SECOND).await;
        let names = [
            "breaker_state closed",
            "breaker_state outage",
            "is_deliverer",
            "takeovers_total",
            "fenced_total",
        ];
        for number in 1..20 {
            send(&delivery, event(number)).await;
        }
        sleep(10 * MINUTE).await;
        // A snapshot resets the values.
        let found = metrics(&snapshotter);
        assert_eq!(names.map(|name| found[name]), [0.0, 1.0, 1.0, 1.0, 0.0]);
        let oldest = found["oldest_pending_seconds"];
        assert!((540.0..=601.0).contains(&oldest), "{oldest}");

        transport.script(|_| Act::taken());
        delivery.resume();
        assert_eq!(delivery.flush(DAY).await.delivered, 20);
        sleep(MINUTE).await;
        let found = metrics(&snapshotter);
        assert_eq!(found["breaker_state closed"], 1.0);
        assert_eq!(found["oldest_pending_seconds"], 0.0);
        let _ = delivery.shutdown(MINUTE).await;
        assert_eq!(metrics(&snapshotter)["is_deliverer"], 0.0);
    })
    .await;
}

/// A label distinguishes several deliveries of one process.
#[tokio::test(start_paused = true)]
async fn a_label_is_in_logs_and_status() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::WARN);
        let delivery = Delivery::builder(Scripted::queue([Act::status(422)]))
            .label("workspace", "acme")
            .start()
            .unwrap();
        send(&delivery, event(0)).await;
        let _ = delivery.flush(DAY).await;
        let status = delivery.status();
        assert_eq!(status.labels.get("workspace").map(String::as_str), Some("acme"));
        assert_eq!(status.to_string(), "workspace=acme delivering");
        send(&delivery, event(1)).await;
        drop(delivery);
        for line in ["event is a dead letter", "delivery was dropped"] {
            let lines = logs.lines(line);
            assert_eq!(lines.len(), 1, "{}", logs.text());
            assert!(lines[0].contains("workspace=acme"), "{lines:?}");
        }
    })
    .await;
}

/// Dashboards read status and ledger as JSON.
#[tokio::test(start_paused = true)]
async fn status_and_ledger_serialize() {
    guarded(async {
        let transport = Scripted::queue([Act::status(422), Act::status(401), Act::status(401)]);
        let delivery =
            Delivery::builder(transport).label("workspace", "acme").concurrency(1).start().unwrap();
        for number in 0..4 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND).await;
        let ledger = serde_json::to_value(delivery.ledger().await.unwrap()).unwrap();
        assert_eq!((&ledger["accepted"], &ledger["dead"]), (&4.into(), &1.into()));
        assert_eq!(ledger["deaths"], serde_json::json!({ "rejected": 1 }));
        assert_eq!(ledger["refused"]["full"], 0);
        let status = serde_json::to_value(delivery.status()).unwrap();
        assert_eq!(status["labels"]["workspace"], "acme");
        assert_eq!(status["turn"]["epoch"], 1);
        let state = &status["state"];
        assert_eq!((&state["name"], &state["kind"]), (&"stopped".into(), &"unauthorized".into()));
        assert!(state["next_probe_in"].is_f64() && state["message"].is_string(), "{state}");
        let outbox = MemoryOutbox::new();
        outbox.accept(&[event(4)]).await.unwrap();
        let counts = serde_json::to_value(outbox.counts().await.unwrap()).unwrap();
        assert_eq!((&counts["accepted"], &counts["pending"]), (&1.into(), &1.into()));
        assert_eq!(counts["newest"], serde_json::Value::Null);
    })
    .await;
}

/// The ledger has more terms than callers see.
#[tokio::test(start_paused = true)]
async fn the_ledger_is_logged_when_any_of_its_terms_has_changed() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let denies = Arc::new(AtomicBool::new(false));
        let denied = denies.clone();
        let transport = Scripted::new(|_| Act::Hang);
        let delivery = Delivery::builder(transport)
            .consent(move |_, _| match denied.load(Ordering::SeqCst) {
                true => Consent::Denied,
                false => Consent::Later(90 * SECOND),
            })
            .ledger_interval(MINUTE)
            .start()
            .unwrap();
        send(&delivery, event(0)).await;
        sleep(80 * SECOND).await;
        assert_eq!(logs.lines("ledger of events").len(), 1);
        denies.store(true, Ordering::SeqCst);
        sleep(HOUR).await;
        let lines = logs.lines("ledger of events");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].contains("withheld=1"), "{lines:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_systems_clock_is_logged_once_and_ages_no_event() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::WARN);
        let ahead = Arc::new(AtomicU64::new(0));
        let (began, stepped) = (Instant::now(), ahead.clone());
        let transport = Scripted::queue([Act::status(503)]);
        let delivery = Delivery::builder(transport.clone())
            .retry(RetryPolicy::new().max_age(HOUR))
            .wall_clock(move || {
                let ahead = Duration::from_secs(stepped.load(Ordering::SeqCst));
                UNIX_EPOCH + Duration::from_secs(1_800_000_000) + began.elapsed() + ahead
            })
            .start()
            .unwrap();
        sleep(HOUR).await;
        assert_eq!(logs.lines("clock was stepped").len(), 0);
        for step in [2 * 3600, 0] {
            ahead.store(step, Ordering::SeqCst);
            send(&delivery, event(step)).await;
            sleep(10 * MINUTE).await;
        }
        let lines = logs.lines("clock was stepped");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("seconds=7200") && lines[1].contains("seconds=-7200"));
        assert_eq!(delivery.flush(DAY).await.delivered, 2);
    })
    .await;
}

/// Its events would have seconds of 1970 for ever.
#[tokio::test]
async fn no_delivery_starts_while_the_clock_is_not_set() {
    let transport = Scripted::taking();
    let builder = Delivery::builder(transport.clone());
    let start = builder.wall_clock(|| UNIX_EPOCH + Duration::from_secs(301)).start();
    let error = start.map(drop).unwrap_err();
    assert_eq!(error, StartError::ClockNotSet);
    assert!(error.to_string().contains("set the clock"), "{error}");
}
