//! The engine through its public API, in virtual time.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod ages;
mod chaos;
mod collisions;
mod contacts;
mod dead_letters;
mod intake;
mod leased_again;
mod names;
mod outage;
mod pacing;
mod poison;
mod privacy;
mod retries;
mod rules;
mod scripted;
mod shutdown;
mod slow_outbox;
mod spans;
mod status;
mod support;
mod telemetry;
