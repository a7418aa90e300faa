//! The durable outbox.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod admission;
mod conformance;
mod counts;
mod delivery;
mod faults;
mod groups;
mod leases;
mod logged;
mod many;
mod migration;
mod opening;
mod people;
mod places;
mod privacy;
mod random;
mod restart;
mod space;
mod support;
mod transaction;
mod turns;
