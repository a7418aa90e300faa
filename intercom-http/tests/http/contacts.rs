//! Creating contacts.

use intercom_core::{Contact, ContactCreation, ErrorKind, SendError, Transport as _};
use serde_json::{Value, json};

use crate::server::{Reply, Server, answer, error_list};
use crate::transport;

async fn create(reply: Reply) -> Result<ContactCreation, SendError> {
    let server = Server::start([reply]).await;
    transport(&server).create_contact(&Contact::email("ada@example.com")).await
}

#[tokio::test]
async fn a_contact_is_created_as_a_user() {
    let server = Server::start([answer(200, &[], "{\"type\":\"contact\"}")]).await;
    let transport = transport(&server);
    for contact in [
        Contact::user_id(42),
        Contact::email("ada@example.com"),
        Contact::user_id(42).with_email("ada@example.com").with_contact_id("5f"),
    ] {
        let creation = transport.create_contact(&contact).await.unwrap();
        assert_eq!(creation, ContactCreation::Created);
    }
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.line() == "POST /contacts HTTP/1.1"));
    let bodies: Vec<Value> =
        requests.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    assert_eq!(
        bodies,
        [
            json!({ "role": "user", "external_id": "42" }),
            json!({ "role": "user", "email": "ada@example.com" }),
            json!({ "role": "user", "external_id": "42", "email": "ada@example.com" }),
        ]
    );
}

#[tokio::test]
async fn an_existing_contact_is_no_error() {
    use ContactCreation::{Archived, Existed};
    for (status, message, creation) in [
        (409, "A contact matching those details already exists with id=5f", Existed),
        (400, "A contact matching those details already exists with id=5f", Existed),
        (409, "An archived contact matching those details already exists with id=5f", Archived),
    ] {
        assert_eq!(create(error_list(status, "conflict", message)).await.unwrap(), creation);
    }
}

#[tokio::test]
async fn other_refusals_are_errors() {
    use ErrorKind::*;
    for (reply, kind) in [
        (error_list(409, "conflict", "Several contacts match"), AmbiguousContact),
        (answer(409, &[], ""), UnexpectedAnswer),
        (error_list(400, "parameter_invalid", "ada@example.com is no email"), Rejected),
        (error_list(401, "unauthorized", "Access Token Invalid"), Unauthorized),
        (error_list(404, "not_found", "Resource Not Found"), UnexpectedAnswer),
        (error_list(422, "x", "A contact matching those details already exists"), Rejected),
        (answer(503, &["retry-after: 3"], ""), Unavailable),
    ] {
        let error = create(reply.clone()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!format!("{error} {error:?}").contains("ada@example.com"), "{error:?}");
    }
}

#[tokio::test]
async fn a_contact_id_alone_or_a_blank_creates_nothing() {
    let server = Server::start([answer(200, &[], "")]).await;
    for (contact, why) in [
        (Contact::contact_id("5f1c"), "Intercom gives contact ids itself"),
        (Contact::email(" "), "the contact's email is blank"),
        (Contact::email(" ada@example.com"), "trim it"),
        (Contact::user_id("").with_email("ada@example.com"), "the contact's user id is blank"),
        (Contact::default(), "the event has no contact"),
    ] {
        let error = transport(&server).create_contact(&contact).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidContact);
        assert!(error.to_string().contains("user id or an email address"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(server.requests().is_empty());
}

/// Only the body says whether a contact exists once or several times.
#[tokio::test]
async fn a_conflict_with_a_truncated_body_is_retryable() {
    for status in [400, 409] {
        let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 100\r\n\r\n{{\"errors\"");
        let error = create(Reply::BytesThenClose(head.into())).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, Some(status)));
        assert!(error.is_retryable() && error.to_string().contains("broke off"), "{error}");
    }
}
