//! The baseline of all sending: a bare reqwest client, and loops around it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use intercom_http::reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue,
};
use intercom_http::reqwest::{Client, Url, redirect};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::interval;

use tokio_rustls::rustls::crypto::ring;

use crate::server::Server;

/// The access token of the requests. It is no real one.
pub const TOKEN: &str = "dG9rOmFjY2Vzc190b2tlbl9vZl9hX2JlbmNobWFyaw";

const USER_AGENT: &str = concat!("intercom-rust/", env!("CARGO_PKG_VERSION"));
const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The version of HTTP that a client speaks over TLS. Without TLS it is always HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1: a connection for each request in flight.
    One,
    /// HTTP/2: one connection for all.
    Two,
}

/// Makes a client with the settings of the transport's own, which trusts this server.
pub(crate) fn client(server: &Server, http: Http) -> Client {
    // The transport shares the TLS provider that the process has installed. From the second client
    // on there is one.
    let _ = ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(10))
        .tcp_nodelay(true);
    let client = match http {
        Http::One => client.http1_only(),
        // The transport's keep-alive settings, which detect a dead connection.
        Http::Two => client
            .http2_keep_alive_interval(Duration::from_secs(15))
            .http2_keep_alive_timeout(Duration::from_secs(10)),
    };
    let client = match server.certificate() {
        Some(certificate) => client.tls_certs_only([certificate.clone()]),
        None => client,
    };
    client.build().expect("the settings are right")
}

/// A sender as one would write it without this project. All constant parts are made in advance.
#[derive(Clone, Debug)]
pub struct Bare {
    client: Client,
    url: Url,
    authorization: HeaderValue,
    version: HeaderValue,
    body: Bytes,
}

impl Bare {
    /// Makes one that sends `body` to `server`.
    pub fn new(server: &Server, http: Http, body: Bytes) -> Bare {
        let client = client(server, http);
        let url = server.url();
        let mut authorization = HeaderValue::try_from(format!("Bearer {TOKEN}"))
            .expect("the token can stand in a header");
        authorization.set_sensitive(true);
        Bare {
            client,
            url: format!("{url}/events").parse().expect("it is a URL"),
            authorization,
            version: HeaderValue::from_static("2.16"),
            body,
        }
    }

    /// Returns its client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends one request, and reads the response to its end.
    pub async fn send(self) {
        let request = self
            .client
            .post(self.url)
            .header(AUTHORIZATION, self.authorization)
            .header(ACCEPT, JSON)
            .header(CONTENT_TYPE, JSON)
            .header(INTERCOM_VERSION, self.version)
            .body(self.body);
        let mut response = request.send().await.expect("the server answers");
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        while response.chunk().await.expect("the response is whole").is_some() {}
    }
}

/// Sends `events` events, with `in_flight` requests at a time.
pub fn send_side_by_side<F>(
    runtime: &Runtime,
    in_flight: usize,
    events: usize,
    send: impl Fn() -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let begun = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..in_flight {
            let (begun, send) = (begun.clone(), send.clone());
            tasks.spawn(async move {
                while begun.fetch_add(1, Relaxed) < events {
                    send().await;
                }
            });
        }
        tasks.join_all().await;
    });
}

/// Sends `events` events, one each period, however many are in flight.
pub(crate) fn send_steadily<F>(
    runtime: &Runtime,
    period: Duration,
    events: usize,
    send: impl Fn() -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        let (mut tasks, mut pace) = (JoinSet::new(), interval(period));
        for _ in 0..events {
            pace.tick().await;
            tasks.spawn(send());
        }
        tasks.join_all().await;
    });
}
