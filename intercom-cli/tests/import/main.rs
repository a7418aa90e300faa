//! `intercom import`: its pages, its ends, and what it shows.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod files;
mod kills;
mod pages;
mod rig;
mod share;
mod terminal;
