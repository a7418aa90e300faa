//! `intercom import`: its pages, its early ends, and its progress bar.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod files;
mod kills;
mod pages;
mod rig;
mod share;
mod terminal;
