//! The durable outbox.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod admission;
mod conformance;
mod counts;
mod delivery;
mod faults;
mod group_commit;
mod leases;
mod logged;
mod many;
mod migration;
mod opening;
mod operators;
mod places;
mod privacy;
mod random;
mod restart;
mod space;
mod support;
mod transaction;
mod turns;
