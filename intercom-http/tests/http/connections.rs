//! Connections: reused, refused, broken, silent.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use intercom_core::{ErrorKind, Transport as _};
use intercom_http::HttpTransport;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket};

use crate::server::{Reply, Server, answer, error_list};
use crate::{TOKEN, client_builder, event, refused, send_by, transport};

#[tokio::test]
async fn a_connection_is_reused_after_any_response() {
    let server = Server::start([
        answer(202, &[], ""),
        answer(200, &[], "a body that is drained"),
        error_list(404, "not_found", "User Not Found"),
        answer(503, &[], "<html>"),
        Reply::Bytes(
            b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                .to_vec(),
        ),
        answer(202, &[], ""),
    ])
    .await;
    let transport = transport(&server);
    let mut delivered = 0;
    for _ in 0..8 {
        delivered += usize::from(send_by(&transport, event()).await.is_ok());
    }
    assert_eq!((delivered, server.requests().len(), server.connections()), (6, 8, 1));
}

#[tokio::test]
async fn over_http2_many_events_share_one_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It accepts one connection and no other.
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(async |request: hyper::Request<Incoming>| {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, *event().body());
            let answer = hyper::Response::builder().status(202);
            Ok::<_, Infallible>(answer.body(Full::<Bytes>::from("drained")).unwrap())
        });
        let connection = http2::Builder::new(TokioExecutor::new());
        let _ = connection.serve_connection(TokioIo::new(stream), service).await;
    });
    let client = client_builder().http2_prior_knowledge().tls_certs_only([]).build().unwrap();
    let transport = HttpTransport::builder(TOKEN).base_url(url).client(client).build().unwrap();
    send_by(&transport, event()).await.unwrap();
    let sending: Vec<_> = (0..20)
        .map(|_| {
            let transport = transport.clone();
            tokio::spawn(async move { send_by(&transport, event()).await })
        })
        .collect();
    for sent in sending {
        assert_eq!(sent.await.unwrap().unwrap().status(), Some(202));
    }
    drop(transport);
    serving.await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_is_a_temporary_fault() {
    // The socket holds the port, and nothing listens there.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let transport =
        HttpTransport::builder(TOKEN).base_url(format!("http://127.0.0.1:{port}")).build().unwrap();
    let error = send_by(&transport, event()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, None));
    assert!(error.is_retryable());
    let host = format!("could not connect to 127.0.0.1:{port}");
    assert!(error.to_string().contains(&host), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_response_is_a_temporary_fault() {
    for reply in [
        Reply::BytesThenClose(vec![]),
        Reply::BytesThenReset(vec![]),
        Reply::BytesThenClose(b"HTTP/1.1 202 Acc".to_vec()),
        Reply::BytesThenReset(b"HTTP/1.1 202 Accepted\r\nx-request-id".to_vec()),
    ] {
        let error = refused(reply.clone()).await;
        assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, None), "{reply:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_temporary_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    // The handshake ends before the certificates matter.
    let client = client_builder().tls_certs_only([]).build().unwrap();
    let transport = HttpTransport::builder(TOKEN)
        .base_url(format!("https://127.0.0.1:{port}"))
        .client(client)
        .build()
        .unwrap();
    let error = send_by(&transport, event()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, None), "{error:?}");
    serving.await.unwrap();
}

#[tokio::test]
async fn a_silent_server_is_a_timeout_with_any_client() {
    let server = Server::start([Reply::BytesThenSilence(vec![])]).await;
    let settings = || {
        let builder = HttpTransport::builder(TOKEN).base_url(server.url());
        builder.timeout(Duration::from_millis(50))
    };
    for builder in [settings(), settings().client(client_builder().build().unwrap())] {
        let error = send_by(&builder.build().unwrap(), event()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, None));
        assert!(error.to_string().contains("none within 50ms"), "{error}");
    }
}

#[tokio::test]
async fn the_status_decides_when_time_runs_out_in_the_body() {
    for (status, delivered) in [(202, true), (422, false)] {
        let bytes = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 100\r\n\r\nsome");
        let server = Server::start([Reply::BytesThenSilence(bytes.into())]).await;
        let transport = HttpTransport::builder(TOKEN)
            .base_url(server.url())
            .timeout(Duration::from_millis(500))
            .build()
            .unwrap();
        match send_by(&transport, event()).await {
            Ok(receipt) => assert!(delivered && receipt.status() == Some(status)),
            Err(error) => assert!(!delivered && error.kind() == ErrorKind::Connection, "{error}"),
        }
    }
}

#[test]
fn without_a_runtime_it_is_an_error_and_no_panic() {
    let transport = HttpTransport::builder(TOKEN).build().unwrap();
    let mut sending = Arc::new(transport).send(event());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = sending.as_mut().poll(&mut context) else {
        panic!("the call fails at once");
    };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("Tokio runtime"), "{error}");
}
