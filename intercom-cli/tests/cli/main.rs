//! The program, run as a process: its pages, and its early ends.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod capacity;
#[cfg(unix)]
mod early_ends;
mod pages;
mod setup;
