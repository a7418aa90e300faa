//! Tests the meaning of rules, their mistakes, and that both ways to write them agree.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod actions;
mod explain;
mod mistakes;
mod naive;
mod support;
mod targets;
