//! The program, run as a process: its pages, and how it ends.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod capacity;
#[cfg(unix)]
mod endings;
mod pages;
mod setup;
