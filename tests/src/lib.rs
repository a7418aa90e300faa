//! What tests of several crates share, and the programs of the README, which compile and run as tests. The tests of this
//! crate stand in its `tests` folder.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

pub mod outbox;
mod summary;

pub use summary::Summary;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
