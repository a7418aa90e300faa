//! Spans from `send` to each attempt and its settlement, by OpenTelemetry's names.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};

use intercom_delivery::Delivery;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::scripted::{Act, DAY, Scripted, event, guarded, lock, send};

/// A recorded span.
#[derive(Clone, Debug)]
struct Seen {
    name: &'static str,
    level: Level,
    /// The index of its parent span.
    parent: Option<usize>,
    fields: BTreeMap<&'static str, String>,
}

impl Seen {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

/// All recorded spans, and the indices of the open ones.
type Log = (Vec<Seen>, HashMap<u64, usize>);

/// Records all spans of deliveries.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Log>>);

impl Spans {
    fn capture(level: LevelFilter) -> (Self, DefaultGuard) {
        let spans = Spans::default();
        let layer = spans.clone().with_filter(level);
        let subscriber = tracing_subscriber::registry().with(layer);
        (spans, tracing::subscriber::set_default(subscriber))
    }

    fn named(&self, name: &str) -> Vec<Seen> {
        lock(&self.0).0.iter().filter(|seen| seen.name == name).cloned().collect()
    }

    fn at(&self, place: usize) -> Seen {
        lock(&self.0).0[place].clone()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if metadata.target() != "intercom_delivery::spans" {
            return;
        }
        let (all, places) = &mut *lock(&self.0);
        let parent = context.span(id).and_then(|span| span.parent());
        let parent = parent.and_then(|parent| places.get(&parent.id().into_u64()).copied());
        let (name, level) = (metadata.name(), *metadata.level());
        let mut seen = Seen { name, level, parent, fields: BTreeMap::new() };
        attributes.record(&mut seen);
        places.insert(id.into_u64(), all.len());
        all.push(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let (all, places) = &mut *lock(&self.0);
        if let Some(place) = places.get(&id.into_u64()) {
            values.record(&mut all[*place]);
        }
    }
}

/// The names follow OpenTelemetry's conventions for messaging and for HTTP clients.
#[tokio::test(start_paused = true)]
async fn spans_lead_from_send_to_each_attempt_and_its_settlement() {
    guarded(async {
        let (spans, _guard) = Spans::capture(LevelFilter::TRACE);
        let acts = [Act::status(503), Act::status(422), Act::taken()];
        let delivery = Delivery::builder(Scripted::queue(acts)).concurrency(1).start().unwrap();
        send(&delivery, event(1)).await;
        send(&delivery, event(2)).await;
        assert!(delivery.flush(DAY).await.is_complete());

        let sends = spans.named("send");
        assert_eq!(sends.len(), 2);
        for (field, value) in [
            ("otel.name", "send events"),
            ("otel.kind", "producer"),
            ("messaging.system", "intercom"),
            ("messaging.operation.name", "send"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", "events"),
            ("messaging.batch.message_count", "1"),
        ] {
            assert_eq!(sends[0].field(field), value, "{field}");
        }

        let attempts = spans.named("attempt");
        let told =
            |field| attempts.iter().map(|one| one.field(field).to_owned()).collect::<Vec<_>>();
        assert_eq!(told("http.response.status_code"), ["503", "422", "202"]);
        assert_eq!(told("error.type"), ["unavailable", "rejected", ""]);
        assert_eq!(told("http.request.resend_count"), ["0", "0", "1"]);
        for (field, value) in [
            ("otel.name", "POST"),
            ("otel.kind", "client"),
            ("http.request.method", "POST"),
            ("url.template", "/events"),
        ] {
            assert_eq!(attempts[0].field(field), value, "{field}");
        }

        // The parent of each attempt is the span of its event's turn.
        let turns: Vec<_> = attempts.iter().map(|one| spans.at(one.parent.unwrap())).collect();
        for (field, values) in [
            ("messaging.message.id", ["0", "1", "0"]),
            ("intercom.delivery.attempts", ["0", "0", "1"]),
            ("intercom.dead_letter.reason", ["", "rejected", ""]),
            ("error.type", ["unavailable", "rejected", ""]),
            ("otel.name", ["process events"; 3]),
            ("otel.kind", ["consumer"; 3]),
            ("messaging.operation.name", ["process"; 3]),
            ("messaging.operation.type", ["process"; 3]),
            ("messaging.system", ["intercom"; 3]),
            ("messaging.destination.name", ["events"; 3]),
        ] {
            let told: Vec<_> = turns.iter().map(|turn| turn.field(field)).collect();
            assert_eq!(told, values, "{field}");
        }
        for name in ["receive", "settle"] {
            let calls = spans.named(name);
            assert!(!calls.is_empty(), "no span {name}");
            assert_eq!(calls[0].field("otel.name"), format!("{name} events"));
            assert_eq!(calls[0].field("messaging.operation.type"), name);
            assert_eq!(calls[0].level, Level::TRACE);
        }
    })
    .await;
}

/// These spans come every few milliseconds.
#[tokio::test(start_paused = true)]
async fn the_calls_of_the_outbox_have_no_span_above_trace_and_nothing_has_one_above_debug() {
    guarded(async {
        for (level, events, calls) in [(LevelFilter::DEBUG, 1, 0), (LevelFilter::INFO, 0, 0)] {
            let (spans, _guard) = Spans::capture(level);
            let delivery = Delivery::builder(Scripted::taking()).start().unwrap();
            send(&delivery, event(1)).await;
            assert!(delivery.flush(DAY).await.is_complete());
            for (name, number) in
                [("send", events), ("process", events), ("attempt", events), ("settle", calls)]
            {
                assert_eq!(spans.named(name).len(), number, "{name}, {level}");
            }
        }
    })
    .await;
}
