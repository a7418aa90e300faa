//! Sends metrics and traces of a delivery to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! ```sh
//! cargo run -p otlp
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 cargo run -p otlp
//! ```
//!
//! Without a collector it shows what one would get: a receiver in this process prints it. The wiring
//! that an application needs is in `telemetry.rs`.

mod receiver;
mod telemetry;

use std::env;
use std::error::Error;
use std::time::Duration;

use intercom_core::{Contact, IntercomEvent};
use intercom_delivery::{Delivery, UnknownContact};
use intercom_http::HttpTransport;
use intercom_sandbox::{Answer, Sandbox};

use self::receiver::Receiver;
use self::telemetry::Telemetry;

/// Somebody did something in a project.
#[derive(IntercomEvent)]
#[event(name = "task_completed")]
struct TaskCompleted {
    /// The number of the task.
    task_id: u64,
}

#[tokio::main]
#[allow(clippy::print_stdout, reason = "it is a program")]
async fn main() -> Result<(), Box<dyn Error>> {
    let is_set = env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some_and(|url| !url.is_empty());
    let receiver = if is_set { None } else { Some(Receiver::start().await?) };
    let telemetry = Telemetry::start(receiver.as_ref().map(Receiver::url))?;

    let sandbox = Sandbox::start().await?;
    sandbox.answer_next(Answer::error(503, "service_unavailable", "Down for a moment"));
    let transport = HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build()?;
    let delivery = Delivery::builder(transport)
        .unknown_contact(UnknownContact::Create)
        .label("workspace", "acme")
        .start()?;
    let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
    for task_id in 0..3 {
        ada.send(&TaskCompleted { task_id }).await?;
    }
    println!("{}", delivery.flush(Duration::from_secs(30)).await);
    // Last, so that the exporter has the end of the delivery too.
    let report = delivery.shutdown(Duration::from_secs(30)).await;
    telemetry.shutdown()?;

    let Some(receiver) = receiver else { return Ok(()) };
    let received = receiver.received();
    received.iter().for_each(|line| println!("{line}"));
    let expected = [
        "span     send events",
        "span     process events",
        "span     POST",
        "metric   intercom_delivery_delivered_total",
        "metric   messaging.client.sent.messages",
        "metric   messaging.process.duration",
    ];
    for begin in expected {
        if !received.iter().any(|line| line.starts_with(begin)) {
            return Err(format!("the collector did not get `{begin}`").into());
        }
    }
    match report.is_complete() && report.delivered == 3 {
        true => Ok(()),
        false => Err("an event is missing".into()),
    }
}
