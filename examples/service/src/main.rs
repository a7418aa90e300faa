//! Runs the service.
//!
//! ```sh
//! cargo run -p service
//! curl -X POST localhost:8080/projects -H 'x-user-id: 42' -H 'content-type: application/json' -d '{"name": "Apollo"}'
//! curl localhost:8080/health/ready localhost:8080/metrics
//! ```
//!
//! | variable | what it is | |
//! |---|---|---|
//! | `ADDRESS` | where to listen | default `127.0.0.1:8080` |
//! | `OUTBOX` | the file in which events wait | default `events.db` |
//! | `INTERCOM_ACCESS_TOKEN` and others | as `HttpTransport::from_env` reads them | without a token, events are only logged |

use std::env;
use std::error::Error;
use std::sync::Arc;

use intercom_core::{LoggingTransport, Transport};
use intercom_delivery::{Delivery, UnknownContact};
use intercom_http::HttpTransport;
use intercom_sqlite::SqliteOutbox;
use metrics_exporter_prometheus::PrometheusBuilder;
use service::{App, asked_to_end, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    // First of all, so that no signal comes too early.
    let end = asked_to_end()?;
    // Before the delivery starts, so that nothing goes uncounted.
    let metrics = PrometheusBuilder::new().install_recorder()?;

    let delivery = Delivery::builder(transport().await?)
        .outbox(SqliteOutbox::open(setting("OUTBOX", "events.db"))?)
        .unknown_contact(UnknownContact::Create)
        .start()?;
    let listener = TcpListener::bind(setting("ADDRESS", "127.0.0.1:8080")).await?;
    tracing::info!("serving on http://{}", listener.local_addr()?);

    let report = serve(listener, App::new(delivery, metrics), end).await?;
    tracing::info!("ended: {report}");
    // A name server that hangs would hold the end of `main`: looking up a name cannot be cancelled.
    std::process::exit(0)
}

/// The way to Intercom. Wrong credentials end the service at once; an Intercom that is down does not.
async fn transport() -> Result<Arc<dyn Transport>, Box<dyn Error>> {
    if env::var_os("INTERCOM_ACCESS_TOKEN").is_none_or(|token| token.is_empty()) {
        tracing::warn!("no access token is set: events are logged and not sent");
        return Ok(Arc::new(LoggingTransport::new()));
    }
    let transport = HttpTransport::from_env()?;
    match transport.verify().await {
        Ok(workspace) => tracing::info!(workspace.id, "events go to Intercom"),
        Err(error) if error.needs_operator() => return Err(error.into()),
        // `Debug` says the cause too.
        Err(error) => tracing::warn!(?error, "starting without Intercom"),
    }
    Ok(Arc::new(transport))
}

fn setting(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}
