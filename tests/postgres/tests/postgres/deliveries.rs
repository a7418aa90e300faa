//! The status and metrics of two processes' deliveries over one outbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::testing::RecordingTransport;
use intercom_delivery::outbox::Epoch;
use intercom_delivery::{Delivery, State};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::task::yield_now;

use super::support::{LONG, Place, event, events};

async fn start(place: &Place, name: &str) -> Delivery {
    let poll = Duration::from_millis(20);
    let outbox = place.builder().name(name).poll_interval(poll).connect().await.unwrap();
    let transport = Arc::new(RecordingTransport::new());
    Delivery::builder(transport).outbox(outbox).label("process", name.to_owned()).start().unwrap()
}

async fn wait_for(delivery: &Delivery, is: impl Fn(&State) -> bool) {
    let reached = async {
        while !is(&delivery.status().state) {
            yield_now().await;
        }
    };
    tokio::time::timeout(LONG, reached).await.unwrap();
}

/// Adds the metrics since the last call, by process and name. A gauge replaces its value.
fn collect(snapshotter: &Snapshotter, metrics: &mut HashMap<String, f64>) {
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        let process = key.labels().find(|label| label.key() == "process").unwrap().value();
        let name = key.name().strip_prefix("intercom_delivery_").unwrap_or(key.name());
        let metric = metrics.entry(format!("{process} {name}")).or_default();
        match value {
            DebugValue::Counter(count) => *metric += count as f64,
            DebugValue::Gauge(gauge) => *metric = gauge.into_inner(),
            DebugValue::Histogram(_) => {}
        }
    }
}

#[tokio::test]
async fn status_and_metrics_tell_who_delivers_and_the_ledger_is_the_stores() {
    let recorder = DebuggingRecorder::new();
    let (snapshotter, mut metrics) = (recorder.snapshotter(), HashMap::new());
    let _guard = metrics::set_default_local_recorder(&recorder);
    let place = Place::new();
    let one = start(&place, "one").await;
    wait_for(&one, |state| matches!(state, State::Delivering)).await;
    let two = start(&place, "two").await;
    wait_for(&two, |state| matches!(state, State::Standby { deliverer, .. } if deliverer == "one"))
        .await;

    one.send_all(&events(3)).await.unwrap();
    two.send_all(&[event("signed_up", 0), event("signed_up", 1)]).await.unwrap();
    assert!(one.flush(LONG).await.is_complete() && two.flush(LONG).await.is_complete());
    assert_eq!(one.status().turn.map(|turn| turn.epoch), Some(Epoch::new(1)));
    assert_eq!(two.status().turn, None);
    for delivery in [&one, &two] {
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.accepted, ledger.delivered, ledger.pending), (5, 5, 0));
    }
    collect(&snapshotter, &mut metrics);
    let of = |metrics: &HashMap<String, f64>, process: &str| {
        ["accepted_total", "delivered_total", "is_deliverer", "takeovers_total", "fenced_total"]
            .map(|name| metrics[&format!("{process} {name}")])
    };
    assert_eq!(of(&metrics, "one"), [3.0, 5.0, 1.0, 1.0, 0.0]);
    assert_eq!(of(&metrics, "two"), [2.0, 0.0, 0.0, 0.0, 0.0]);

    // An orderly end hands over.
    let _ = one.shutdown(LONG).await;
    wait_for(&two, |state| matches!(state, State::Delivering)).await;
    assert_eq!(two.status().turn.map(|turn| turn.epoch), Some(Epoch::new(2)));
    // Another process deposes the deliverer.
    place.run("UPDATE {s}.deliverer SET epoch = 7, owner = 'three'").await;
    two.send_all(&[event("signed_up", 2)]).await.unwrap();
    wait_for(
        &two,
        |state| matches!(state, State::Standby { deliverer, .. } if deliverer == "three"),
    )
    .await;
    collect(&snapshotter, &mut metrics);
    assert_eq!(of(&metrics, "one")[2..], [0.0, 1.0, 0.0]);
    assert_eq!(of(&metrics, "two"), [3.0, 0.0, 0.0, 1.0, 1.0]);
    let ledger = two.ledger().await.unwrap();
    assert_eq!((ledger.accepted, ledger.delivered, ledger.pending), (6, 5, 1));
}
