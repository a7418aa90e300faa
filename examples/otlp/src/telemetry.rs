//! Wires `tracing` and `metrics`, which the delivery speaks, to OpenTelemetry.

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use metrics_exporter_opentelemetry::Recorder;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, ResponseExt as _};
use opentelemetry_otlp::{
    MetricExporter, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The spans of a delivery.
const SPANS: &str = "intercom_delivery::spans";

/// What exports in the background.
pub(crate) struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Telemetry {
    /// Exports to the collector at this URL, or to the one of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    ///
    /// Start a delivery afterwards: it registers its metrics with the recorder that is installed then.
    pub(crate) fn start(url: Option<&str>) -> Result<Self, Box<dyn Error>> {
        let resource = Resource::builder().with_service_name("acme").build();
        let client = Client::new()?;

        let exporter = SpanExporter::builder().with_http().with_http_client(client.clone());
        let exporter = match url {
            Some(url) => exporter.with_endpoint(format!("{url}/v1/traces")),
            None => exporter,
        };
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(exporter.build()?)
            .build();
        // The request to the collector is no span of the application's.
        let spans = Targets::new().with_target(SPANS, LevelFilter::DEBUG);
        let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("acme"));
        tracing_subscriber::registry().with(spans).with(layer).try_init()?;

        let exporter = MetricExporter::builder().with_http().with_http_client(client);
        let exporter = match url {
            Some(url) => exporter.with_endpoint(format!("{url}/v1/metrics")),
            None => exporter,
        };
        let reader = PeriodicReader::builder(exporter.build()?).build();
        let (metrics, _) = Recorder::builder("acme")
            .with_meter_provider(|provider| {
                provider.with_resource(resource).with_reader(reader).with_view(exponential)
            })
            .install()?;
        Ok(Telemetry { traces, metrics })
    }

    /// Exports the rest.
    pub(crate) fn shutdown(self) -> Result<(), Box<dyn Error>> {
        self.traces.shutdown()?;
        self.metrics.shutdown()?;
        Ok(())
    }
}

/// Durations are in seconds. The default buckets are for milliseconds.
fn exponential(instrument: &Instrument) -> Option<Stream> {
    let aggregation = Aggregation::Base2ExponentialHistogram {
        max_size: 160,
        max_scale: 20,
        record_min_max: true,
    };
    match instrument.kind() {
        InstrumentKind::Histogram => Stream::builder().with_aggregation(aggregation).build().ok(),
        _ => None,
    }
}

/// Sends requests of the exporters, whose threads are none of Tokio's.
#[derive(Clone, Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl Client {
    fn new() -> Result<Self, Box<dyn Error>> {
        // An application that has a TLS provider need not install one. A collector seldom speaks TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Client { client: reqwest::Client::builder().build()?, runtime: Handle::current() })
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let response = client.execute(request.try_into()?).await?;
            let mut answer = Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                *headers = response.headers().clone();
            }
            Ok::<_, HttpError>(answer.body(response.bytes().await?)?)
        });
        Ok(sent.await??.error_for_status()?)
    }
}
