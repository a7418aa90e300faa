//! Intercom's API: the way of a request, from its first byte to its answer.
//!
//! `call` takes it from its body to its answer, `route` finds its endpoint, `serve` answers it by
//! Intercom's rules. The faults that it meets come before, after or in the place of that; and before
//! the answer goes out it is in the records.

mod body;
mod call;
mod contacts;
mod events;
mod route;
mod serve;
mod served;

pub(crate) use body::{ReadBody, read as read_body};
pub(crate) use call::{answer, refuse_tls};
pub(crate) use events::{SUMMARIES, create_summaries};
