//! The program over an outbox in PostgreSQL. Each test starts a server, so `tests/postgres/run`
//! runs them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod kills;
mod pages;
#[path = "../import/rig.rs"]
#[allow(dead_code, reason = "only the import into SQLite uses all of it")]
mod rig;
#[path = "../cli/setup.rs"]
#[allow(dead_code, reason = "only tests over SQLite use all of it")]
mod setup;
