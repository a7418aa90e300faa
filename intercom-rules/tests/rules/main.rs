//! Tests the meaning of rules, their mistakes, and that both ways to write them agree.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod actions;
mod explain;
mod mistakes;
mod naive;
mod support;
mod targets;
