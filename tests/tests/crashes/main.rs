//! Nothing that was accepted is lost to kill -9: a process that accepts and delivers events is killed over and over,
//! and what it told to be accepted is compared with what the sandbox has.
//!
//! `CRASHES_KILLS=100` kills it more often, `CRASHES_SEED=…` at the same times again.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod child;
mod control;
mod events;
mod kills;
mod plan;
mod rig;
mod takeover;
mod verdict;
