//! The outbox in PostgreSQL, against real servers.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod conformance;
mod drivers;
mod failover;
mod gaps;
mod links;
mod many;
mod people;
mod pooled;
mod proxy;
mod support;
mod transaction;
mod turns;
