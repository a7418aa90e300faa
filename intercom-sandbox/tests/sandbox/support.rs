//! A plain HTTP client, so that each test shows what it sends.

use std::sync::LazyLock;

use intercom_sandbox::Sandbox;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer, read to its end.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the body is JSON")
    }

    /// Returns the errors of an error list, each as `code field`, in the order answered. Asserts
    /// the documented envelope.
    pub(crate) fn errors(&self) -> Vec<String> {
        let json = self.json();
        assert_eq!(json["type"], "error.list", "{}", self.text);
        assert_eq!(json["request_id"].as_str(), self.header("x-request-id"), "{}", self.text);
        let errors = json["errors"].as_array().expect("errors is an array");
        assert!(!errors.is_empty(), "an error list has errors");
        errors
            .iter()
            .map(|error| {
                assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()));
                let code = error["code"].as_str().expect("code is a string");
                match error["field"].as_str() {
                    Some(field) => format!("{code} {field}"),
                    None => code.to_owned(),
                }
            })
            .collect()
    }

    /// Returns the message of the only error.
    pub(crate) fn message(&self) -> String {
        assert_eq!(self.errors().len(), 1, "{}", self.text);
        self.json()["errors"][0]["message"].as_str().expect("message is a string").to_owned()
    }
}

/// Returns the shared client, because making one is slow. The client keeps no connections, since
/// a connection ends with the runtime of the test that opened it.
pub(crate) fn client() -> Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        client_builder().pool_max_idle_per_host(0).build().expect("the client builds")
    });
    CLIENT.clone()
}

/// Returns a client's settings, without a proxy. reqwest requires a TLS provider in the process,
/// even for plain HTTP.
pub(crate) fn client_builder() -> ClientBuilder {
    // Another test may have installed the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

/// Builds a request with the headers that Intercom requires.
pub(crate) fn request(sandbox: &Sandbox, method: Method, path: &str) -> RequestBuilder {
    client()
        .request(method, format!("{}{path}", sandbox.url()))
        .bearer_auth(sandbox.token())
        .header("Accept", "application/json")
        .header("Content-Type", "application/json")
}

pub(crate) async fn finish(request: RequestBuilder) -> Answered {
    read(request.send().await.expect("the sandbox answers")).await
}

async fn read(response: Response) -> Answered {
    Answered {
        status: response.status().as_u16(),
        headers: response
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = value.to_str().expect("answers have plain headers");
                (name.to_string(), value.to_owned())
            })
            .collect(),
        text: response.text().await.expect("the body is whole"),
    }
}

/// Posts this text to `/events`.
pub(crate) async fn post_text(sandbox: &Sandbox, body: impl Into<String>) -> Answered {
    finish(request(sandbox, Method::POST, "/events").body(body.into())).await
}

/// Posts this object to `/events`.
pub(crate) async fn post_event(sandbox: &Sandbox, body: &Value) -> Answered {
    post_text(sandbox, body.to_string()).await
}

/// Posts this object to `/contacts`.
pub(crate) async fn post_contact(sandbox: &Sandbox, body: &Value) -> Answered {
    finish(request(sandbox, Method::POST, "/contacts").body(body.to_string())).await
}

/// Returns a valid event of user 42.
pub(crate) fn event(name: &str) -> Value {
    json!({"event_name": name, "created_at": 1_700_000_000, "user_id": "42"})
}

/// Starts a sandbox that accepts events of any contact.
pub(crate) async fn friendly() -> Sandbox {
    Sandbox::builder().know_everybody(true).start().await.expect("a free port")
}

/// Opens a TCP connection.
pub(crate) async fn connect(sandbox: &Sandbox) -> TcpStream {
    let address = sandbox.url().strip_prefix("http://").expect("plain HTTP");
    TcpStream::connect(address).await.expect("the sandbox listens")
}

/// Returns the bytes of a request with a valid event.
pub(crate) fn raw_event(sandbox: &Sandbox) -> String {
    let body = event("raw").to_string();
    format!(
        "POST /events HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {}\r\n\
         Accept: application/json\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        sandbox.token(),
        body.len()
    )
}

/// Sends these bytes, and returns what comes back until the sandbox closes the connection.
pub(crate) async fn raw(sandbox: &Sandbox, bytes: &str) -> String {
    let mut stream = connect(sandbox).await;
    stream.write_all(bytes.as_bytes()).await.expect("the sandbox reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the answer is text");
    answer
}

/// Posts this object to `/events` without an `Accept` header, which any HTTP library would send.
pub(crate) async fn post_without_accept(sandbox: &Sandbox, body: &Value) -> String {
    let body = body.to_string();
    let request = format!(
        "POST /events HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        sandbox.token(),
        body.len()
    );
    raw(sandbox, &request).await
}
