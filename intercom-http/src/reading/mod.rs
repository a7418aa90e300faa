//! Reads a contact's events, page by page, and their summaries.

mod cursor;
mod error;
mod page;
mod past_event;
mod past_events;
mod past_value;
mod requests;
mod summary;

pub use error::{BadEvent, MetadataMismatch, ReadError};
pub use past_event::PastEvent;
pub use past_events::PastEvents;
pub use past_value::PastValue;
pub use summary::{EventSummary, SummaryError};

pub(crate) use requests::{submit_summaries, summaries};
