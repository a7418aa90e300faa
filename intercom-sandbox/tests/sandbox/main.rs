//! The sandbox from outside: over HTTP, and through its handle.

mod contacts;
mod event_rules;
mod front_door;
mod metadata_rules;
#[cfg(feature = "program")]
mod program;
mod rate_limit;
mod records;
mod running;
mod script;
mod support;
