//! The program, run as a process: its pages, and how it ends.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod capacity;
#[cfg(unix)]
mod endings;
mod pages;
mod setup;
