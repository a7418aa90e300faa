//! Serves one connection until it ends.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use axum::http::{Request, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;

use super::Handler;
use super::connection_state::{ActivityGuard, ConnectionState, End};
use super::outgoing::{Disconnect, Response};
use super::stream::ConnectionStream;

/// The size of the largest request head, and of a connection's read buffer, in bytes.
const BUFFER: usize = 32 << 10;

/// The most concurrent requests of one HTTP/2 connection.
const STREAMS: u32 = 256;

/// Serves until the client or the state ends the connection.
pub(super) async fn serve<H: Handler>(
    stream: TcpStream,
    state: Arc<ConnectionState>,
    handler: Arc<H>,
) {
    // Nagle's algorithm would hold a small answer back until the client acknowledges the one
    // before. A connection without the option still works.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(ConnectionStream::new(stream, Arc::clone(&state)));
    let service = service_fn(|request| {
        answer(ActivityGuard::new(Arc::clone(&state)), Arc::clone(&handler), request)
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(stream, service));

    let mut waker = Waker::noop().clone();
    let mut is_closing = false;
    let served = poll_fn(|context| {
        if !waker.will_wake(context.waker()) {
            waker.clone_from(context.waker());
            state.set_waker(&waker);
        }
        if !is_closing && state.is_closing() {
            is_closing = true;
            connection.as_mut().graceful_shutdown();
        }
        match connection.as_mut().poll(context) {
            // Polls again, so that the connection sees its end.
            Poll::Pending if state.end_if_idle() => connection.as_mut().poll(context),
            polled => polled,
        }
    });
    // A connection error is the client's, or a fault asked for it.
    let _ = served.await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // An answer is one small piece, and a plain write costs less than a vectored write of one.
    builder.http1().max_buf_size(BUFFER).writev(false);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(BUFFER as u32)
        .max_send_buf_size(BUFFER);
    builder
}

/// Answers a request. The caller moves the future before its first poll. To keep it small, it
/// stores no part twice and boxes rare state.
fn answer<H: Handler>(
    busy: ActivityGuard,
    handler: Arc<H>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Disconnect>> + Send + 'static {
    let (parts, body) = request.into_parts();
    async move {
        let version = parts.version;
        let mut response = handler.answer(parts, body).await;
        let state = busy.state();
        if let Some(&cut) = response.extensions().get::<Disconnect>() {
            match cut {
                Disconnect::HangUp => state.end(End::Close),
                // Other requests share an HTTP/2 connection: the error resets only the stream.
                Disconnect::Reset if version == Version::HTTP_2 => {}
                Disconnect::Reset => state.end(End::Reset),
            }
            return Err(cut);
        }
        if response.headers().contains_key(header::CONNECTION) {
            state.linger();
        }
        busy.has_answer();
        response.body_mut().keep(busy);
        Ok(response)
    }
}
