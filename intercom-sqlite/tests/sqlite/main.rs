//! The durable outbox.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod collisions;
mod conformance;
mod delivery;
mod faults;
mod groups;
mod opening;
mod owners;
mod people;
mod restart;
mod space;
mod support;
mod transaction;
