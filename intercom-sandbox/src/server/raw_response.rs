//! Answers to what HTTP's own library does not take for a request, as the bytes that go out; and to
//! a connection that is one too many.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::refusal::Refusal;
use crate::request_id::{RequestId, RequestIds};

/// Writes these answers.
pub(crate) struct RawResponses {
    request_ids: Arc<RequestIds>,
    on_tls: Box<OnTls>,
}

/// Says what a client is answered that speaks TLS to the port.
pub(crate) type OnTls = dyn Fn(&RequestId) -> Refusal + Send + Sync;

impl RawResponses {
    pub(crate) fn new(request_ids: Arc<RequestIds>, on_tls: Box<OnTls>) -> Self {
        Self { request_ids, on_tls }
    }

    /// The client began a TLS handshake.
    pub(super) fn tls(&self) -> Bytes {
        let id = self.request_ids.draw();
        let refusal = (self.on_tls)(&id);
        written(&id, StatusCode::BAD_REQUEST, &refusal.to_reply(&id).body)
    }

    /// What goes out in the place of the bare status that begins here, where one does.
    pub(super) fn instead(&self, bytes: &[u8]) -> Option<Bytes> {
        let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        let (status, code, message) = match status {
            b"400" => (StatusCode::BAD_REQUEST, "bad_request", "This is not an HTTP request"),
            b"414" => (StatusCode::URI_TOO_LONG, "uri_too_long", "The URL is too long"),
            b"431" => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "The headers are too many or too large",
            ),
            _ => return None,
        };
        Some(self.answer(&Refusal::new(status, code, message), status))
    }

    /// The head of a request takes too long.
    pub(super) fn head_too_slow(&self) -> Bytes {
        let status = StatusCode::REQUEST_TIMEOUT;
        let message = "The headers did not come in time";
        self.answer(&Refusal::new(status, "request_timeout", message), status)
    }

    /// There are as many connections as there may be.
    fn too_many_connections(&self) -> Bytes {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let message =
            "The sandbox has as many connections as it may have: close some, or allow more";
        self.answer(&Refusal::new(status, "too_many_connections", message), status)
    }

    fn answer(&self, refusal: &Refusal, status: StatusCode) -> Bytes {
        let id = self.request_ids.draw();
        written(&id, status, &refusal.to_reply(&id).body)
    }
}

/// The bytes of an answer with a body of JSON.
fn written(id: &RequestId, status: StatusCode, body: &[u8]) -> Bytes {
    let mut answer = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/json; charset=utf-8\r\nx-request-id: {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        id.as_str(),
        body.len(),
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer.into()
}

/// How many are refused with an answer at a time. Those beyond are closed without one.
pub(super) const AT_A_TIME: usize = 64;

/// How long a client may take to hear of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers the first request with `503`, whatever it is.
pub(super) async fn refuse(mut stream: TcpStream, raw: Arc<RawResponses>) {
    let talk = async {
        // Before its request is there, a client does not expect an answer.
        stream.readable().await?;
        stream.write_all(&raw.too_many_connections()).await?;
        stream.shutdown().await?;
        // A connection that is closed on what was sent would take the answer with it.
        while stream.read(&mut [0; 4096]).await? > 0 {}
        std::io::Result::Ok(())
    };
    // A client that does not read is disconnected all the same.
    let _ = tokio::time::timeout(PATIENCE, talk).await;
}
