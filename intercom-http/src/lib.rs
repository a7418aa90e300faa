//! Sends Intercom events over HTTPS: one event, one request, every answer understood. Reads them back, too.
//!
//! ```no_run
//! use intercom_core::{Contact, DynamicEvent, Tracker};
//! use intercom_http::HttpTransport;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let tracker = Tracker::new(HttpTransport::from_env()?);
//!     let event = DynamicEvent::new("project_created")?.with("project_id", 7)?;
//!     tracker.for_contact(Contact::email("ada@example.com")).send(&event).await?;
//!     Ok(())
//! }
//! ```
//!
//! [`HttpTransport`] sends an event once. It neither retries nor stores anything: a delivery engine does
//! both, and sends through this transport.
//!
//! # Setting up
//!
//! From the environment, with [`HttpTransport::from_env`]:
//!
//! | variable | what it is | |
//! |---|---|---|
//! | `INTERCOM_ACCESS_TOKEN` | the access token of your app | required |
//! | `INTERCOM_REGION` | `us`, `eu` or `au` | default `us` |
//! | `INTERCOM_BASE_URL` | another address than that of the region | optional |
//!
//! Or in code:
//!
//! ```
//! use std::time::Duration;
//! use intercom_http::{HttpTransport, Region};
//!
//! # fn main() -> Result<(), intercom_http::BuildError> {
//! # let token = "secret";
//! let transport = HttpTransport::builder(token)
//!     .region(Region::Eu)
//!     .timeout(Duration::from_secs(10))
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! What cannot work fails here, in a [`BuildError`] that says what to do, and not at the first event.
//! Whether Intercom accepts the credentials is asked with [`HttpTransport::verify`].
//!
//! The system's proxies (`HTTPS_PROXY`, `NO_PROXY` and so on) are used. For anything else that the way
//! to Intercom needs, give [a client of your own](HttpTransportBuilder::client).
//!
//! # TLS
//!
//! The transport trusts the certificates that the system trusts, and `SSL_CERT_FILE`. Its cryptography is a provider of
//! [rustls](https://docs.rs/rustls):
//!
//! - the one that your application installed with `CryptoProvider::install_default`, if it did so before `build`;
//! - else that of the feature `aws-lc-rs`, if it is enabled. It takes most of a minute to build;
//! - else that of the feature `ring`, the default. It builds in seconds.
//!
//! This crate installs none. An application that always installs its own provider turns the default features off.
//!
//! # Building quickly
//!
//! A fifth of the packages below this crate are Unicode tables for the names of hosts. Intercom's hosts need none.
//! `cargo update -p idna_adapter --precise 1.1.0` in your workspace takes smaller ones: 21 packages go, three come.
//!
//! # Replacing the token
//!
//! A token that was revoked or has to change is replaced in the running program, with
//! [`HttpTransport::replace_token`] or [`HttpTransport::replace_basic_auth`] on any clone of the transport:
//!
//! ```
//! use intercom_core::Tracker;
//! use intercom_http::HttpTransport;
//!
//! # fn main() -> Result<(), intercom_http::BuildError> {
//! # let (token, new_token) = ("secret", "secret2");
//! let transport = HttpTransport::builder(token).build()?;
//! let tracker = Tracker::new(transport.clone());
//! // Later, when the operator has a new token:
//! transport.replace_token(new_token)?;
//! // With a delivery of `intercom-delivery`, `delivery.resume()` comes next.
//! # Ok(())
//! # }
//! ```
//!
//! Requests that begin afterwards carry the new token. Requests in flight end with the old one. A
//! token that cannot be sent is refused, as when setting up, and the old one stays.
//!
//! A delivery that holds events back because of a 401 does not see the replacement. Afterwards call
//! `Delivery::resume` of the crate `intercom-delivery`, so that held events are sent at once.
//! Without it, the delivery's next probe finds the new token, at most five minutes later.
//!
//! # What the answers mean
//!
//! A 200, 201, 202 or 204 is success, unless its body is a page or a list of errors. A page comes from
//! something between here and Intercom, whatever its content type. Everything else is a [`SendError`] with the status, the
//! errors that Intercom listed, the request id, and the wait that was asked for:
//!
//! | answer | [`ErrorKind`] | what to do |
//! |---|---|---|
//! | any 4xx without Intercom's error list, but for 408, 425 and 429 | `UnexpectedAnswer` | nobody's verdict: look at gateways and proxies |
//! | 400, 406, 413, 415, 422, and any 4xx that is not in this table | `Rejected` | the event is wrong: give up |
//! | any 4xx: too many active event names | `EventNameLimit` | give up, and archive names |
//! | 404 with the code `not_found` | `UnknownContact` | your choice |
//! | 409, or 400 with the code `conflict` | `AmbiguousContact` | give up |
//! | 401 | `Unauthorized` | mend the token |
//! | 402, 403 | `Forbidden` | mend the plan or the permissions |
//! | 429 | `RateLimited` | send again, after the wait |
//! | 408, 425, 5xx | `Unavailable` | send again |
//! | none in time | `Timeout` | send again |
//! | no connection, or a broken one | `Connection` | send again |
//! | a certificate that is not trusted | `Certificate` | mend the CA certificates, the clock or the address |
//! | a proxy that does not connect | `Proxy` | mend the proxy or its credentials |
//! | one whose body says what it means, and broke off | `Connection` | send again |
//! | a redirect, 404 and 405 otherwise, any other | `UnexpectedAnswer` | mend the base URL or the proxy |
//!
//! Sending again is safe as long as it is the same [`DataEvent`]: Intercom ignores an event whose
//! contact, name and second it has seen.
//!
//! The wait is taken from `Retry-After`, then from `X-RateLimit-Reset`. Times are compared with the
//! answer's own `Date`, so a wrong clock on this machine does no harm. Nothing is waited for longer
//! than [`MAX_WAIT`].
//!
//! # Reading back
//!
//! [`HttpTransport::events`] lists what Intercom has of a contact, newest first, and [`HttpTransport::summaries`] counts it:
//!
//! ```no_run
//! # async fn show(transport: intercom_http::HttpTransport) -> Result<(), intercom_http::ReadError> {
//! use intercom_core::Contact;
//!
//! let mut events = transport.events(&Contact::user_id(42)).per_page(50);
//! while let Some(event) = events.next().await {
//!     println!("{}", event?.name());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`PastEvents`] is a `Stream`. One event that cannot be read is an item that says why, and the stream goes on.
//! - [`PastEvent::metadata`] tells values by kind, and [`PastEvent::metadata_as`] reads them as a type of yours.
//! - Of a page's `pages.next` only the cursor is followed, to this transport's own host. A cursor that comes twice is an error.
//! - An unknown contact is [`ReadError::UnknownContact`], and no empty list.
//! - Reading waits for the rate limit that it shares with sending, and leaves the last tenth of each window to events.
//!   An engine of `intercom-delivery` over the same transport sees in its next answer what reads have used.
//!
//! # What is never shown
//!
//! The token and the API key, also replaced ones, are in no `Debug`, no error and no log. Where Intercom
//! repeats those of the request, the contact's identifiers, or a value of the event in a message, `[secret]`,
//! `[contact]` or `[value]` stands in its place. Values of fewer than four characters are left, because they
//! could be anything. A body that is not Intercom's is described by its type and size. Redirects are not
//! followed, so that no other host sees the token.
//!
//! [`SendError`]: intercom_core::SendError
//! [`ErrorKind`]: intercom_core::ErrorKind
//! [`DataEvent`]: intercom_core::DataEvent

mod answer;
mod body;
mod builder;
mod contacts;
mod credentials;
mod endpoint;
mod env;
mod error;
mod error_list;
mod failure;
mod headers;
mod limits;
mod rate;
mod reading;
mod redact;
mod region;
mod secret;
mod tls;
mod transport;
mod workspace;

pub use body::{MAX_BODY_BYTES, MAX_PAGE_BYTES};
pub use builder::{
    DEFAULT_API_VERSION, DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, HttpTransportBuilder,
};
pub use error::BuildError;
pub use limits::MAX_WAIT;
pub use reading::{
    BadEvent, EventSummary, PastEvent, PastEvents, PastValue, ReadError, SummaryError,
    UnlikeMetadata,
};
pub use region::{Region, UnknownRegion};
pub use transport::HttpTransport;
pub use workspace::Workspace;

/// The client library that [`HttpTransportBuilder::client`] takes a client of.
pub use reqwest;
