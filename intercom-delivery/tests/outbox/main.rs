//! The outbox in memory, and the conformance suite itself: that it lets through what is right, and
//! nothing else.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod bounds;
mod concurrency;
mod conformance;
mod different;
mod faulty;
mod many;
mod order;
mod support;
