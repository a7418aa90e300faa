//! The outbox in PostgreSQL, against real servers.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod conformance;
mod drivers;
mod failover;
mod gaps;
mod inspection;
mod links;
mod many;
mod migration;
mod people;
mod pooled;
mod privacy;
mod proxy;
mod support;
mod transaction;
mod turns;
