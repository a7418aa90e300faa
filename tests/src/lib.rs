//! Shared parts of the tests of several crates. Also compiles and runs the README's programs as
//! tests. The tests of this crate are in its `tests` folder.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

pub mod numbered;
pub mod outbox;
pub mod process;
mod summary;

pub use summary::Summary;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
