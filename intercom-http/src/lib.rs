#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Responses and errors
//!
//! The first row that fits counts. HTML comes from a proxy or gateway, never from Intercom's API.
//! The transport recognizes HTML by the content type or by a body that begins with `<`.
//!
//! | response | [`ErrorKind`] | what to do |
//! |---|---|---|
//! | 408, 425, 5xx | `Unavailable` | retry |
//! | 429 | `RateLimited` | retry after the wait |
//! | a 4xx whose body breaks off | `Connection` | retry: the body would say what is wrong |
//! | any other 4xx without Intercom's error list | `UnexpectedAnswer` | check gateways and proxies: the response did not come from Intercom |
//! | any other 4xx whose message says that there are too many active event names | `EventNameLimit` | give up, and archive names |
//! | 404 with the code `not_found`, `user_not_found` or `contact_not_found` | `UnknownContact` | give up, wait, or create the contact |
//! | 409, or 400 with the code `conflict` | `AmbiguousContact` | give up: several contacts match the identifier |
//! | 401 | `Unauthorized` | replace the token |
//! | 402, 403 | `Forbidden` | fix the plan or the permissions |
//! | any other 404 or 405 | `UnexpectedAnswer` | fix the base URL or the proxy |
//! | any other 4xx | `Rejected` | give up: the event is wrong |
//! | no response in time | `Timeout` | retry |
//! | no connection, or a broken connection | `Connection` | retry |
//! | an untrusted certificate | `Certificate` | fix the CA certificates, the clock or the address |
//! | a proxy that refuses to connect | `Proxy` | fix the proxy or its credentials |
//! | a redirect, HTML, or anything else | `UnexpectedAnswer` | fix the base URL or the proxy |
//!
//! [`HttpTransport::verify`] judges a 4xx by its status alone.
//!
//! After a 408, 425, 429 or 5xx, [`SendError::retry_after`] returns the wait, if the response has
//! one. It comes from `Retry-After`, else from `X-RateLimit-Reset`. The crate compares these times
//! with the response's own `Date`, so a wrong clock on this machine does no harm. The longest wait
//! is [`MAX_WAIT`].
//!
//! ## Reading past events
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
//! - [`PastEvents`] is a `Stream` with the feature `futures-core`, and always has `next`.
//! - An unreadable event is an `Err` item that says why, and the stream goes on.
//! - [`PastEvent::metadata`] returns values by kind. [`PastEvent::metadata_as`] reads them as your
//!   type.
//! - Reading takes only the cursor from `pages.next`, and asks this transport's own host. If a
//!   cursor comes a second time, the stream ends with an error.
//! - An unknown contact is [`ReadError::UnknownContact`], not an empty list.
//! - Reading and sending share one rate limit, in windows of 10 seconds. When only a tenth of a
//!   window's requests is left, a read waits for the next window, and leaves the tenth to events. A
//!   delivery of `intercom-delivery` learns from its next response how many requests the reads
//!   used.
//!
//! ## What errors do not show
//!
//! Errors mask replaced credentials as they mask present ones. They do not mask booleans, or values
//! of fewer than four characters, because those also match other text by chance. If a body did not
//! come from Intercom, the error has only its content type and size.
//!
//! [`ErrorKind`]: intercom_core::ErrorKind
//! [`SendError::retry_after`]: intercom_core::SendError::retry_after

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
