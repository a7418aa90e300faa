//! Random responses: each becomes a receipt or an error.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::{ErrorKind, Transport as _};
use intercom_http::{HttpTransport, MAX_WAIT};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::{TOKEN, client_builder, event};

/// The number of responses, unless `RANDOM_ANSWERS` is set.
const ANSWERS: usize = 2_000;

const NAMES: [&str; 9] = [
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
    "date",
    "content-type",
    "location",
    "etag",
];

const VALUES: [&str; 12] = [
    "text/html",
    "application/json; charset=utf-8",
    "Tue, 14 Nov 2023 22:13:20 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "-1",
    "0",
    "1700000000",
    "1700000000000",
    "99999999999999999999999",
    "https://tok:en@example.com/?a=b",
    "//[::",
    "",
];

const WORDS: [&str; 12] = [
    r#"{"type":"error.list","errors":["#,
    r#"{"errors":["#,
    r#"{"code":"not_found","message":"User Not Found"}"#,
    r#"{"code":"rate_limit_exceeded"}"#,
    r#"{"code":"parameter_invalid","message":"Cannot have more than 120 active event names"}"#,
    r#"{"code":1e999,"message":null}"#,
    r#""request_id":null"#,
    "]}",
    ",",
    "null",
    "<!DOCTYPE html>",
    "\u{feff}",
];

/// Returns a response: its status, and its bytes.
fn answer(dice: &mut fastrand::Rng) -> (u16, Vec<u8>) {
    const STATUSES: [u16; 14] =
        [200, 201, 202, 204, 206, 207, 302, 400, 401, 403, 404, 409, 422, 429];
    let status = if dice.bool() { *dice.choice(&STATUSES).unwrap() } else { dice.u16(200..1000) };
    let mut body = Vec::new();
    for _ in 0..dice.usize(..6) {
        match dice.bool() {
            true => body.extend_from_slice(dice.choice(&WORDS).unwrap().as_bytes()),
            false => body.extend((0..dice.usize(..9)).map(|_| dice.u8(..))),
        }
    }
    // In HTTP, these statuses have no body.
    if matches!(status, 204 | 304) {
        body.clear();
    }
    let mut bytes = format!("HTTP/1.1 {status} Whatever\r\n").into_bytes();
    if !matches!(status, 204 | 304) {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    for _ in 0..dice.usize(..5) {
        bytes.extend_from_slice(dice.choice(&NAMES).unwrap().as_bytes());
        bytes.extend_from_slice(b": ");
        match dice.u8(..3) {
            0 => {
                // Every byte that a value can have.
                let value = (0..dice.usize(..20)).map(|_| dice.u8(..));
                bytes.extend(value.filter(|byte| *byte == b'\t' || *byte >= 32 && *byte != 127));
            }
            1 => bytes.extend_from_slice(dice.u64(..).to_string().as_bytes()),
            _ => bytes.extend_from_slice(dice.choice(&VALUES).unwrap().as_bytes()),
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    (status, bytes)
}

/// Answers each request of a connection with the next response.
async fn serve(mut stream: TcpStream, answers: &mut mpsc::Receiver<Vec<u8>>) {
    let mut request = Vec::new();
    loop {
        let end = loop {
            if let Some(head) = request.windows(4).position(|end| end == b"\r\n\r\n") {
                let length = str::from_utf8(&request[..head]).unwrap().lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
                });
                let end = head + 4 + length.unwrap_or(0_usize);
                if request.len() >= end {
                    break end;
                }
            }
            match stream.read_buf(&mut request).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        request.drain(..end);
        let Some(bytes) = answers.recv().await else { return };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
#[allow(clippy::print_stderr, reason = "the output explains a failure")]
async fn random_answers_are_receipts_or_errors() {
    let seed = env::var("RANDOM_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    eprintln!("to repeat it: RANDOM_SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let number = env::var("RANDOM_ANSWERS").map_or(ANSWERS, |number| number.parse().unwrap());

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (say, mut answers) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, &mut answers).await;
        }
    });
    let client = client_builder().tls_certs_only([]).redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    let transport = HttpTransport::builder(TOKEN).base_url(url).client(client).build().unwrap();
    let transport = Arc::new(transport);
    let (event, mut receipts) = (event(), 0);
    for at in 0..number {
        let (status, bytes) = answer(&mut dice);
        say.send(bytes.clone()).await.unwrap();
        let is_acceptance = matches!(status, 200 | 201 | 202 | 204);
        let shown = || format!("answer {at}: {}", bytes.escape_ascii());
        match Arc::clone(&transport).send(event.clone()).await {
            Ok(receipt) => {
                receipts += 1;
                assert_eq!(receipt.status(), Some(status), "{}", shown());
                assert!(is_acceptance, "{}", shown());
                let body = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
                let is_page = bytes[body..].trim_ascii_start().starts_with(b"<");
                assert!(!is_page, "{}", shown());
            }
            Err(error) => {
                assert_eq!(error.status(), Some(status), "{error}, {}", shown());
                // A body may contradict its status.
                let is_denied = error.kind() == ErrorKind::UnexpectedAnswer;
                assert!(!is_acceptance || is_denied, "{error}, {}", shown());
                assert!(error.retry_after().unwrap_or(Duration::ZERO) <= MAX_WAIT, "{}", shown());
                let told = format!("{error} {error:?}");
                assert!(!told.contains("ada@example.com") && !told.contains(TOKEN), "{told}");
                // Only a verdict of Intercom may bury an event.
                let is_verdict = error.is_permanent();
                assert!(!is_verdict || !error.api_errors().is_empty(), "{error}, {}", shown());
            }
        }
    }
    assert!(receipts > number / 50, "{receipts} receipts");
}
