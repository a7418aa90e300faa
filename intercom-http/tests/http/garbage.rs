//! Heads and bodies that Intercom would not send, or truncated ones.

use intercom_core::ErrorKind;
use intercom_http::{HttpTransport, MAX_BODY_BYTES};
use proptest::prelude::*;
use reqwest::redirect::Policy;

use crate::server::{Reply, Server, answer};
use crate::{TOKEN, client_builder, event, refused, send, send_by};

#[tokio::test]
async fn a_body_that_is_not_intercoms_is_described_and_not_shown() {
    for (headers, body, described) in [
        (vec!["content-type: text/html; charset=utf-8"], "<h1>s3cret</h1>", "text/html, 15 bytes"),
        (vec![], "s3cret", "of no content type, 6 bytes"),
        (vec!["content-type: application/json"], "null", "application/json, 4 bytes"),
        (vec![], "{\"errors\":\"s3cret\"}", "19 bytes"),
        (vec![], "{\"errors\":[{\"code\":\"s3cret\"", "27 bytes"),
        (vec![], "[\"s3cret\"]", "10 bytes"),
        (vec![], "\u{feff}{}", "5 bytes"),
        (vec![], "", "its body is empty"),
    ] {
        let error = refused(answer(503, &headers, body)).await;
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Some(503)));
        assert!(error.api_errors().is_empty());
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(described), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test]
async fn a_huge_body_is_read_up_to_the_bound() {
    let error = refused(answer(500, &[], "x".repeat(4 * MAX_BODY_BYTES))).await;
    assert!(error.to_string().contains("65536 bytes and more"), "{error}");
    // A success stays a success, however long its body is.
    let receipt = send(answer(202, &[], "x".repeat(4 * MAX_BODY_BYTES))).await.unwrap();
    assert_eq!(receipt.status(), Some(202));
    // The parser refuses endless nesting before the stack overflows.
    let deep = format!("{{\"errors\":{}", "[".repeat(MAX_BODY_BYTES - 20));
    assert_eq!(refused(answer(400, &[], deep)).await.kind(), ErrorKind::UnexpectedAnswer);
}

#[tokio::test]
async fn the_status_decides_when_the_body_breaks_off() {
    let head = |status: u16| {
        format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 100\r\n\r\nsome of it").into_bytes()
    };
    let mut ways = vec![Reply::BytesThenClose as fn(_) -> _];
    // Outside Linux, a reset discards unread bytes.
    if cfg!(target_os = "linux") {
        ways.push(Reply::BytesThenReset);
    }
    for broken in ways {
        assert_eq!(send(broken(head(202))).await.unwrap().status(), Some(202));
        let error = refused(broken(head(422))).await;
        assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, Some(422)));
        assert!(error.to_string().contains("broke off"), "{error}");
    }
}

/// Only the body says whether the contact or the address is unknown.
#[tokio::test]
async fn a_404_with_a_truncated_body_is_retryable() {
    let bytes = "HTTP/1.1 404 Whatever\r\ncontent-length: 100\r\n\r\n{\"errors\"";
    let error = refused(Reply::BytesThenClose(bytes.into())).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, Some(404)));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn an_error_list_that_broke_off_after_its_end_is_read() {
    let bytes = "HTTP/1.1 404 Whatever\r\ncontent-length: 100\r\n\r\n\
                 {\"errors\":[{\"code\":\"not_found\"}]}";
    let error = refused(Reply::BytesThenClose(bytes.into())).await;
    assert_eq!(error.kind(), ErrorKind::UnknownContact);
}

#[tokio::test]
async fn many_errors_are_cut_down_to_a_few() {
    let errors = vec!["{\"code\":\"parameter_invalid\"}"; 1000].join(",");
    let error = refused(answer(422, &[], format!("{{\"errors\":[{errors}]}}"))).await;
    assert_eq!(error.api_errors().len(), 20);
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let json = r#"\{"request_id":("[ -~]{0,9}"|null|[0-9]{1,40}),"errors":\[(\{"code":("[a-z_]{0,9}"|1e[0-9]{1,4}),"message":"[a-z \\]{0,9}"\}|null|\[\])\]\}"#;
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), json.prop_map(String::into_bytes),]
}

fn header() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("retry-after"),
        Just("x-ratelimit-reset"),
        Just("x-ratelimit-remaining"),
        Just("x-request-id"),
        Just("date"),
        Just("content-type"),
        Just("location"),
    ];
    // Every byte that a header value can have.
    let value = prop_oneof![
        proptest::collection::vec(prop_oneof![Just(b'\t'), 32_u8..127, 128_u8..], 0..40),
        "[0-9]{1,30}".prop_map(String::into_bytes),
        "(https?:)?//[a-z%:@\\[\\]]{0,9}[?#]?[a-z]{0,9}".prop_map(String::into_bytes),
    ];
    (name, value).prop_map(|(name, value)| [name.as_bytes(), b": ", &*value, b"\r\n"].concat())
}

/// Sends one event to a server that writes these bytes and closes.
fn exchange(bytes: Vec<u8>) -> Result<Option<u16>, ErrorKind> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start([Reply::BytesThenClose(bytes)]).await;
        // Loading the machine's CA certificates for every case would dominate the run time.
        let client = client_builder().redirect(Policy::none()).tls_certs_only([]).build().unwrap();
        let builder = HttpTransport::builder(TOKEN).base_url(server.url()).client(client);
        let sent = send_by(&builder.build().unwrap(), event()).await;
        sent.map(|receipt| receipt.status()).map_err(|error| {
            assert!(!format!("{error} {error:?}").contains("ada@example.com"));
            error.kind()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn only_an_acceptance_is_a_receipt(
        status in 200_u16..1000,
        headers in proptest::collection::vec(header(), 0..4),
        body in body(),
    ) {
        let head = format!("HTTP/1.1 {status} Whatever\r\n");
        let bytes = [head.as_bytes(), &headers.concat(), b"\r\n", &body].concat();
        let accepts = [200, 201, 202, 204].contains(&status);
        match exchange(bytes) {
            Ok(receipt) => {
                prop_assert_eq!(receipt, Some(status));
                prop_assert!(accepts);
            }
            // The body contradicts the status.
            Err(kind) => prop_assert!(!accepts || kind == ErrorKind::UnexpectedAnswer),
        }
    }

    #[test]
    fn an_answer_that_is_not_http_is_no_receipt(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let spoken = bytes.starts_with(b"HTTP/");
        prop_assert!(spoken || exchange(bytes) == Err(ErrorKind::Connection));
    }
}
