//! Verifies the credentials.

use intercom_core::ErrorKind;
use intercom_http::Region;

use crate::server::{Server, answer, error_list};
use crate::transport;

#[tokio::test]
async fn verify_returns_the_workspace() {
    let me = r#"{"type":"admin","id":"1","email":"admin@acme.example","app":
        {"type":"app","id_code":"abc123","name":"Acme","region":"EU","secure":true}}"#;
    let server = Server::start([answer(200, &[], me)]).await;
    let workspace = transport(&server).verify().await.unwrap();
    assert_eq!(workspace.id.as_deref(), Some("abc123"));
    assert_eq!(workspace.name.as_deref(), Some("Acme"));
    assert_eq!(workspace.region, Some(Region::Eu));
    let request = &server.requests()[0];
    assert_eq!(request.line(), "GET /me HTTP/1.1");
    assert_eq!(request.header("authorization").len(), 1);
    assert!(request.body.is_empty());
}

#[tokio::test]
async fn parts_that_intercom_leaves_out_are_absent() {
    let me = r#"{"app":{"id_code":7,"region":"Mars"}}"#;
    let server = Server::start([answer(200, &[], me)]).await;
    let workspace = transport(&server).verify().await.unwrap();
    assert_eq!((workspace.id, workspace.name, workspace.region), (None, None, None));
}

#[tokio::test]
async fn verify_fails_on_an_answer_that_is_not_intercoms() {
    use ErrorKind::*;
    for (reply, kind) in [
        (error_list(401, "unauthorized", "Access Token Invalid"), Unauthorized),
        (answer(403, &[], ""), Forbidden),
        (answer(200, &["content-type: text/html"], "<h1>Please log in</h1>"), UnexpectedAnswer),
        (answer(200, &[], "{}"), UnexpectedAnswer),
        (answer(204, &[], ""), UnexpectedAnswer),
        (error_list(404, "not_found", "Resource Not Found"), UnexpectedAnswer),
        (answer(502, &[], ""), Unavailable),
    ] {
        let server = Server::start([reply]).await;
        assert_eq!(transport(&server).verify().await.unwrap_err().kind(), kind);
    }
}
