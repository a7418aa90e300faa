//! The outbox in PostgreSQL, against real servers.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod conformance;
mod deliveries;
mod drivers;
mod failover;
mod gaps;
mod inspection;
mod links;
mod many;
mod migration;
mod operators;
mod pooled;
mod privacy;
mod proxy;
mod support;
mod transaction;
mod turns;
