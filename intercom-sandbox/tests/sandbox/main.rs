//! The sandbox from outside: over HTTP, and through its handle.

mod admin;
mod admin_guard;
mod apps;
mod bad_clients;
mod body_budget;
mod catalogue;
mod contact_calls;
mod contact_lifecycle;
mod contact_limits;
mod contact_list;
mod contact_merge;
mod contact_object;
mod contact_search;
mod contacts;
mod duplicates;
mod event_list;
mod event_rules;
mod events_lock;
mod fault_effects;
mod fault_text;
mod faults;
mod feed;
mod hints;
mod imports;
mod lifecycle;
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
mod request_checks;
mod scripted_answers;
mod slow_readers;
mod state;
mod summaries;
mod support;
mod verify;
