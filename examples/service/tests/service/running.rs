//! The service, running in the test's own process, and the Intercom that it talks to.

use std::sync::Arc;
use std::time::Duration;

use intercom_delivery::{Delivery, DrainReport, RetryPolicy, UnknownContact};
use intercom_http::HttpTransport;
use intercom_sandbox::{Sandbox, SeedContact};
use intercom_sqlite::SqliteOutbox;
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use service::{App, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Running {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: Arc<TempDir>,
    url: String,
    client: Client,
    end: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<DrainReport>>,
}

impl Running {
    /// Starts both, with the user 42 as the only contact.
    pub(crate) async fn start() -> Self {
        let sandbox = Sandbox::builder().contact(SeedContact::user_id("42")).start().await.unwrap();
        Running::start_with(Arc::new(tempfile::tempdir().unwrap()), sandbox).await
    }

    /// Starts the service. A test has no patience: retries come soon.
    pub(crate) async fn start_with(folder: Arc<TempDir>, sandbox: Sandbox) -> Self {
        let transport =
            HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build().unwrap();
        let soon = Duration::from_millis(10);
        let delivery = Delivery::builder(transport)
            .outbox(SqliteOutbox::open(folder.path().join("events.db")).unwrap())
            .retry(RetryPolicy::new().base(soon).cap(soon))
            .unknown_contact(UnknownContact::DeadLetter)
            .start()
            .unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (end, ended) = oneshot::channel::<()>();
        let end_asked = async move {
            let _ = ended.await;
        };
        let serving = tokio::spawn(serve(listener, App::new(delivery, metrics), end_asked));
        Running { sandbox, folder, url, client: client(), end, serving }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.header("content-type", "application/json")
    }

    /// What the customer 42 does.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> StatusCode {
        self.call_as(42, method, path, body).await
    }

    pub(crate) async fn call_as(
        &self,
        user: u64,
        method: Method,
        path: &str,
        body: Value,
    ) -> StatusCode {
        let request = self.request(method, path).header("x-user-id", user);
        request.body(body.to_string()).send().await.unwrap().status()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// Asks the service to end, and waits until it has.
    pub(crate) async fn end(self) -> (DrainReport, Sandbox) {
        let _ = self.end.send(());
        (self.serving.await.unwrap().unwrap(), self.sandbox)
    }
}

/// A client that keeps no connections, so that none outlives its test.
pub(crate) fn client() -> Client {
    // reqwest makes no client without a TLS provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}
