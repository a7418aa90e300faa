//! The engine through its public API, in virtual time.

mod outage;
mod pacing;
mod smoke;
mod support;
