//! Nothing is lost on a bad network: events go from a delivery through real sockets, which break in every way there
//! is, into the sandbox.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod control;
mod dice;
mod ending;
mod kinds;
mod proxy;
mod rig;
mod soak;
mod verdict;
mod witness;
