#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
//!
//! ## Replacing the token
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
//! ## What the answers mean
//!
//! A page comes from something between here and Intercom, whatever its content type.
//!
//! | answer | [`ErrorKind`] | what to do |
//! |---|---|---|
//! | any 4xx without Intercom's error list, but for 408, 425 and 429 | `UnexpectedAnswer` | look at gateways and proxies: the answer did not come from Intercom |
//! | 400, 406, 413, 415, 422, and any 4xx that is not in this table | `Rejected` | the event is wrong: give up |
//! | any 4xx: too many active event names | `EventNameLimit` | give up, and archive names |
//! | 404 with the code `not_found` | `UnknownContact` | your choice |
//! | 409, or 400 with the code `conflict` | `AmbiguousContact` | give up |
//! | 401 | `Unauthorized` | replace the token |
//! | 402, 403 | `Forbidden` | fix the plan or the permissions |
//! | 429 | `RateLimited` | send again, after the wait |
//! | 408, 425, 5xx | `Unavailable` | send again |
//! | none in time | `Timeout` | send again |
//! | no connection, or a broken one | `Connection` | send again |
//! | a certificate that is not trusted | `Certificate` | fix the CA certificates, the clock or the address |
//! | a proxy that does not connect | `Proxy` | fix the proxy or its credentials |
//! | one whose body says what it means, and broke off | `Connection` | send again |
//! | a redirect, 404 and 405 otherwise, any other | `UnexpectedAnswer` | fix the base URL or the proxy |
//!
//! The wait is taken from `Retry-After`, then from `X-RateLimit-Reset`. Times are compared with the
//! answer's own `Date`, so a wrong clock on this machine does no harm. Nothing is waited for longer
//! than [`MAX_WAIT`].
//!
//! ## Reading back
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
//! ## What is never shown
//!
//! Replaced credentials are as secret as present ones. Values of fewer than four characters stay in
//! Intercom's messages, because they could be anything. An error describes a body that did not come from
//! Intercom by its type and size.
//!
//! [`ErrorKind`]: intercom_core::ErrorKind

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
pub use builder::HttpTransportBuilder;
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
