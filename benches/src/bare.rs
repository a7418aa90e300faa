//! The baseline of everything that is sent: a bare reqwest client, and a loop around it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::http::StatusCode;
use bytes::Bytes;
use intercom_http::reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue,
};
use intercom_http::reqwest::{Client, Url, redirect};
use intercom_http::{DEFAULT_API_VERSION, DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// The access token that requests carry. It is nobody's.
pub const TOKEN: &str = "dG9rOmFjY2Vzc190b2tlbl9vZl9hX2JlbmNobWFyaw";

const USER_AGENT: &str = concat!("intercom-rust/", env!("CARGO_PKG_VERSION"));
const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What one would write without this project, all that is always the same made beforehand.
#[derive(Clone, Debug)]
pub struct Bare {
    client: Client,
    url: Url,
    authorization: HeaderValue,
    version: HeaderValue,
    body: Bytes,
}

impl Bare {
    /// One that sends this body to the server at this address.
    pub fn new(url: &str, body: Bytes) -> Bare {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .timeout(DEFAULT_TIMEOUT)
            .connect_timeout(DEFAULT_CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .expect("the settings are right");
        let mut authorization = HeaderValue::try_from(format!("Bearer {TOKEN}"))
            .expect("the token can stand in a header");
        authorization.set_sensitive(true);
        Bare {
            client,
            url: format!("{url}/events").parse().expect("it is a URL"),
            authorization,
            version: HeaderValue::from_static(DEFAULT_API_VERSION),
            body,
        }
    }

    /// Its client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends one request, and reads its answer to the end.
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
        while response.chunk().await.expect("the answer is whole").is_some() {}
    }
}

/// Sends so many events, with so many in flight.
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
