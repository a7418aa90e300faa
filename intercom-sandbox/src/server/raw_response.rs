//! Answers as raw bytes, for input that hyper does not parse as a request, and for a connection
//! over the limit.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::refusal::Refusal;
use crate::request_id::{RequestId, RequestIds};

/// Writes raw answers.
pub(crate) struct RawResponses {
    request_ids: Arc<RequestIds>,
    on_tls: Box<OnTls>,
}

/// Returns the refusal for a client that speaks TLS to the port.
pub(crate) type OnTls = dyn Fn(&RequestId) -> Refusal + Send + Sync;

impl RawResponses {
    pub(crate) fn new(request_ids: Arc<RequestIds>, on_tls: Box<OnTls>) -> Self {
        Self { request_ids, on_tls }
    }

    /// Answers a TLS handshake.
    pub(super) fn tls(&self) -> Bytes {
        let id = self.request_ids.draw();
        let refusal = (self.on_tls)(&id);
        written(&id, StatusCode::BAD_REQUEST, &refusal.to_reply(&id).body)
    }

    /// Returns the answer that replaces hyper's status without a body, if `bytes` begin with one.
    pub(super) fn replacement(&self, bytes: &[u8]) -> Option<Bytes> {
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

    /// Answers a request head that takes too long.
    pub(super) fn head_too_slow(&self) -> Bytes {
        let status = StatusCode::REQUEST_TIMEOUT;
        let message = "The headers did not come in time";
        self.answer(&Refusal::new(status, "request_timeout", message), status)
    }

    /// Answers a connection over the limit.
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

/// Returns the bytes of an answer with a JSON body.
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

/// The most connections over the limit that get an answer at a time. Others close without one.
pub(super) const MAX_REFUSALS: usize = 64;

/// How long a refused client has to read its answer.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Answers the first request with `503`, whatever the request is.
pub(super) async fn refuse(mut stream: TcpStream, raw: Arc<RawResponses>) {
    let talk = async {
        // A client expects no answer before it has sent a request.
        stream.readable().await?;
        stream.write_all(&raw.too_many_connections()).await?;
        stream.shutdown().await?;
        // Closing with unread input would reset the connection and lose the answer.
        while stream.read(&mut [0; 4096]).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Disconnects a client that does not read all the same.
    let _ = tokio::time::timeout(READ_TIMEOUT, talk).await;
}
