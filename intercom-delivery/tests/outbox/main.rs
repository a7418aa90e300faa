//! The outbox in memory, and the conformance suite itself: it must pass correct outboxes, and fail
//! all others.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod bounds;
mod concurrency;
mod conformance;
mod different;
mod faulty;
mod many;
mod order;
mod support;
