//! The requests on the wire.

use intercom_http::HttpTransport;

use crate::server::{Server, answer};
use crate::{TOKEN, client_builder, event, send_by, transport};

#[tokio::test]
async fn an_event_is_one_post_with_its_own_bytes() {
    let server = Server::start([answer(202, &[], "")]).await;
    let event = event();
    let receipt = send_by(&transport(&server), event.clone()).await.unwrap();
    assert_eq!((receipt.status(), receipt.is_delivered()), (Some(202), true));

    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line(), "POST /events HTTP/1.1");
    assert_eq!(requests[0].body, **event.body());
}

#[tokio::test]
async fn every_header_is_sent_once() {
    let server = Server::start([answer(202, &[], "")]).await;
    send_by(&transport(&server), event()).await.unwrap();
    let user_agent = format!("intercom-rust/{}", env!("CARGO_PKG_VERSION"));
    let authorization = format!("Bearer {TOKEN}");
    let request = &server.requests()[0];
    for (name, value) in [
        ("authorization", &*authorization),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("intercom-version", "2.16"),
        ("user-agent", &*user_agent),
    ] {
        assert_eq!(request.header(name), [value], "{name}");
    }
}

#[tokio::test]
async fn settings_reach_the_request_also_with_a_custom_client() {
    let server = Server::start([answer(202, &[], "")]).await;
    let client = client_builder().user_agent("other").build().unwrap();
    let transport = HttpTransport::builder(TOKEN)
        .base_url(format!("{}/intercom/", server.url()))
        .api_version("Preview")
        .user_agent("acme/1.0")
        .client(client)
        .build()
        .unwrap();
    send_by(&transport, event()).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.line(), "POST /intercom/events HTTP/1.1");
    assert_eq!(request.header("intercom-version"), ["Preview"]);
    assert_eq!(request.header("user-agent"), ["acme/1.0"]);
}

#[tokio::test]
async fn basic_auth_replaces_the_token() {
    let server = Server::start([answer(202, &[], "")]).await;
    let builder = HttpTransport::basic_auth("app1", "key:2");
    send_by(&builder.base_url(server.url()).build().unwrap(), event()).await.unwrap();
    // "app1:key:2"
    assert_eq!(server.requests()[0].header("authorization"), ["Basic YXBwMTprZXk6Mg=="]);
}
