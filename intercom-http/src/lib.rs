#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Replacing the token
//!
//! Replace a revoked or rotated token while the program runs. Call
//! [`HttpTransport::replace_token`] or [`HttpTransport::replace_basic_auth`] on any clone:
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
//! Later requests carry the new token. Requests in flight end with the old token. The call refuses a
//! token that cannot be sent, and the old token stays.
//!
//! A delivery that holds events after a 401 does not see the replacement. Afterwards call
//! `Delivery::resume` of the crate `intercom-delivery`, which sends held events at once.
//! Otherwise the delivery's next probe finds the new token, at most five minutes later.
//!
//! ## Responses
//!
//! An HTML page comes from a proxy or gateway, whatever its content type.
//!
//! | response | [`ErrorKind`] | what to do |
//! |---|---|---|
//! | any 4xx without Intercom's error list, except 408, 425 and 429 | `UnexpectedAnswer` | check gateways and proxies: the response did not come from Intercom |
//! | 400, 406, 413, 415, 422, and any 4xx not in this table | `Rejected` | the event is wrong: give up |
//! | any 4xx: too many active event names | `EventNameLimit` | give up, and archive names |
//! | 404 with the code `not_found` | `UnknownContact` | your choice |
//! | 409, or 400 with the code `conflict` | `AmbiguousContact` | give up |
//! | 401 | `Unauthorized` | replace the token |
//! | 402, 403 | `Forbidden` | fix the plan or the permissions |
//! | 429 | `RateLimited` | retry after the wait |
//! | 408, 425, 5xx | `Unavailable` | retry |
//! | none in time | `Timeout` | retry |
//! | no connection, or a broken connection | `Connection` | retry |
//! | an untrusted certificate | `Certificate` | fix the CA certificates, the clock or the address |
//! | a proxy that refuses to connect | `Proxy` | fix the proxy or its credentials |
//! | a truncated body that decides the outcome | `Connection` | retry |
//! | a redirect, any other 404 or 405, anything else | `UnexpectedAnswer` | fix the base URL or the proxy |
//!
//! The wait comes from `Retry-After`, then from `X-RateLimit-Reset`. The response's own `Date` is the
//! reference, so a wrong clock on this machine does no harm. The longest wait is [`MAX_WAIT`].
//!
//! ## Reading back
//!
//! [`HttpTransport::events`] lists a contact's events, newest first.
//! [`HttpTransport::summaries`] counts them:
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
//! - [`PastEvents`] is a `Stream`. An unreadable event is an item that says why, and the stream goes on.
//! - [`PastEvent::metadata`] returns values by kind. [`PastEvent::metadata_as`] reads them as your type.
//! - Reading follows only the cursor of `pages.next`, on this transport's own host. A repeated cursor is
//!   an error.
//! - An unknown contact is [`ReadError::UnknownContact`], not an empty list.
//! - Reading shares the rate limit with sending, waits for it, and leaves each window's last tenth to
//!   events. An engine of `intercom-delivery` sees in its next response what reads have used.
//!
//! ## What is never shown
//!
//! Replaced credentials are as secret as present ones. Values of fewer than four characters stay in
//! Intercom's messages, because they match by chance. An error describes a body that did not come from
//! Intercom only by its type and size.
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
    BadEvent, EventSummary, MetadataMismatch, PastEvent, PastEvents, PastValue, ReadError,
    SummaryError,
};
pub use region::{Region, UnknownRegion};
pub use transport::HttpTransport;
pub use workspace::Workspace;

/// The client library of [`HttpTransportBuilder::client`].
#[cfg(feature = "reqwest")]
pub use reqwest;
