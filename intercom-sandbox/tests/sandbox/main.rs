//! The sandbox from outside: over HTTP, and through its handle.

mod admin;
mod admin_guard;
mod apps;
mod bad_bodies;
mod bad_clients;
mod catalogue;
mod contact_bounds;
mod contact_calls;
mod contact_lifecycle;
mod contact_list;
mod contact_merge;
mod contact_object;
mod contact_search;
mod contacts;
mod duplicates;
mod event_rules;
mod events_lock;
mod fault_effects;
mod fault_text;
mod faults;
mod feed;
mod front_door;
mod hints;
mod imports;
mod listing;
mod metadata_rules;
mod open_rules;
mod openapi;
mod page;
#[cfg(feature = "program")]
mod program;
#[cfg(feature = "program")]
mod program_arguments;
#[cfg(feature = "program")]
mod program_output;
mod rate_limit;
mod records;
mod running;
mod script;
mod slow_readers;
mod state;
mod summaries;
mod support;
mod verify;
