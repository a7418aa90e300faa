//! One connection, from its first byte to its last.

use std::pin::pin;
use std::sync::Arc;

use axum::http::{Request, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::Limits;
use super::cut::Cut;
use super::line::{End, Line};
use super::outgoing::Response;
use super::site::Site;
use super::wire::Wire;

/// The size of the largest head of a request, in bytes, and of what is buffered of a connection.
const BUFFER: usize = 32 << 10;

/// How many requests of one HTTP/2 connection are answered at a time.
const STREAMS: u32 = 256;

/// Serves until either side ends it, the sandbox closes, or nothing goes on for too long.
pub(super) async fn serve(stream: TcpStream, site: Arc<Site>, limits: Limits) {
    // Answers are small, and must not wait for the client's acknowledgement of the one before. A
    // connection that refuses the option works all the same.
    let _ = stream.set_nodelay(true);
    let line = Arc::new(Line::default());
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&line), Arc::clone(&site)));
    let service = service_fn(|request| answer(Arc::clone(&site), Arc::clone(&line), request));
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(wire, service));

    let mut closing = pin!(site.workspace.closing.begun());
    let mut is_closing = false;
    let mut idle = pin!(sleep(limits.idle));
    let mut progress = line.progress();
    loop {
        tokio::select! {
            biased;
            // A connection that ends in an error is the client's loss, or what a fault asked for.
            _ = connection.as_mut() => return,
            () = &mut closing, if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut idle => {
                if line.progress() == progress {
                    line.end_if_idle();
                }
                progress = line.progress();
                idle.as_mut().reset(Instant::now() + limits.idle);
            }
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(BUFFER);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(BUFFER as u32)
        .max_send_buf_size(BUFFER);
    builder
}

async fn answer(
    site: Arc<Site>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response, Cut> {
    let busy = line.begin();
    let version = request.version();
    let mut response = site.answer(request).await;
    if let Some(&cut) = response.extensions().get::<Cut>() {
        match cut {
            Cut::HangUp => line.end(End::Close),
            // Over HTTP/2 others use the connection too: the error resets the stream.
            Cut::Reset if version == Version::HTTP_2 => {}
            Cut::Reset => line.end(End::Reset),
        }
        return Err(cut);
    }
    if response.headers().contains_key(header::CONNECTION) {
        line.linger();
    }
    line.owes();
    response.body_mut().keep(busy);
    Ok(response)
}
