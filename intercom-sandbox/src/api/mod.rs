//! Intercom's API.
//!
//! `call` handles a request, `route` finds its endpoint, and `serve` answers by Intercom's rules.
//! Faults apply before, after or instead of that. The journal records the request before the answer
//! goes out.

mod api_answer;
mod body;
mod call;
mod contacts;
mod events;
mod route;
mod serve;

pub(crate) use body::{ReadBody, read as read_body};
pub(crate) use call::{answer, refuse_tls};
pub(crate) use events::{SUMMARIES, create_summaries};
#[cfg(feature = "program")]
pub(crate) use route::path_without_identifiers;
