//! Tests the transport against servers that answer with exact bytes.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod answers;
mod connections;
mod contacts;
mod environment;
mod garbage;
mod random;
mod reading;
mod redirects;
mod replacement;
mod requests;
mod secrets;
mod server;
mod setup;
mod verify;
mod ways;

use std::sync::Arc;

use intercom_core::{
    Contact, DataEvent, DynamicEvent, Receipt, SendError, Timestamp, Transport as _,
};
use intercom_http::HttpTransport;
use reqwest::{Client, ClientBuilder};
use server::{Reply, Server};

const TOKEN: &str = "tok_dG9rOmE1ZjQ5NGMw";

fn event() -> DataEvent {
    event_of(Contact::email("ada@example.com"))
}

fn event_of(contact: Contact) -> DataEvent {
    let event = DynamicEvent::new("project_created").unwrap().with("project_id", 7).unwrap();
    DataEvent::new(&event, contact, Timestamp::from_unix_seconds(1_700_000_000)).unwrap()
}

fn transport(server: &Server) -> HttpTransport {
    HttpTransport::builder(TOKEN).base_url(server.url()).build().unwrap()
}

/// Returns a builder of reqwest clients. It needs the process's TLS provider, even for plain HTTP.
fn client_builder() -> ClientBuilder {
    // Another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

/// Sends one event to a server with this reply.
async fn send(reply: impl Into<Reply>) -> Result<Receipt, SendError> {
    let server = Server::start([reply]).await;
    send_by(&transport(&server), event()).await
}

async fn send_by(transport: &HttpTransport, event: DataEvent) -> Result<Receipt, SendError> {
    Arc::new(transport.clone()).send(event).await
}

/// Returns the error for this reply.
async fn refused(reply: impl Into<Reply>) -> SendError {
    send(reply).await.expect_err("the reply is an error")
}
