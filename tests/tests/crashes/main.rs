//! `kill -9` loses no accepted event. The tests kill a process that accepts and delivers events,
//! over and over, and compare its ledger with the sandbox's events.
//!
//! `CRASHES_KILLS=100` sets the number of kills, and `CRASHES_SEED=…` repeats their times.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod child;
mod control;
mod events;
mod kills;
mod plan;
mod rig;
mod takeover;
mod verdict;
