//! A collector within this process. It shows what it gets.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Sum};
use prost::Message as _;
use tokio::net::TcpListener;

/// The received data, as text.
type Lines = Arc<Mutex<Vec<String>>>;

/// A collector that runs until the program ends.
pub(crate) struct Receiver {
    url: String,
    lines: Lines,
}

impl Receiver {
    /// Listens on a free port.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let lines = Lines::default();
        let app = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(lines.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Receiver { url, lines })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn received(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn traces(State(lines): State<Lines>, body: Bytes) -> Result<(), StatusCode> {
    let request = ExportTraceServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let scopes = request.resource_spans.into_iter().flat_map(|one| one.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    let told = spans.map(|span| {
        let took = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) / 1_000;
        format!("span     {} ({took} µs) {}", span.name, attributes(&span.attributes))
    });
    lines.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
    Ok(())
}

async fn metrics(State(lines): State<Lines>, body: Bytes) -> Result<(), StatusCode> {
    let request = ExportMetricsServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let scopes = request.resource_metrics.into_iter().flat_map(|one| one.scope_metrics);
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    for metric in scopes.flat_map(|scope| scope.metrics) {
        let name = &metric.name;
        let mut tell = |value: String, of: &[KeyValue]| {
            lines.push(format!("metric   {name} = {value} {}", attributes(of)));
        };
        match &metric.data {
            Some(Data::Sum(Sum { data_points, .. }) | Data::Gauge(Gauge { data_points })) => {
                for point in data_points {
                    tell(number(point.value), &point.attributes);
                }
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                for point in &histogram.data_points {
                    let sum = point.sum.unwrap_or_default();
                    tell(format!("{} in {sum:.6} s", point.count), &point.attributes);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn number(value: Option<Number>) -> String {
    match value {
        Some(Number::AsInt(value)) => value.to_string(),
        Some(Number::AsDouble(value)) => value.to_string(),
        None => "none".to_owned(),
    }
}

/// Leaves out where in the code a span is, which every span has.
fn attributes(of: &[KeyValue]) -> String {
    let of =
        of.iter().filter(|one| !one.key.starts_with("code.") && !one.key.starts_with("thread."));
    let told = of.map(|one| {
        let value = match one.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::DoubleValue(number)) => number.to_string(),
            Some(Value::BoolValue(is)) => is.to_string(),
            other => format!("{other:?}"),
        };
        format!("{}={value}", one.key)
    });
    told.collect::<Vec<_>>().join(" ")
}
