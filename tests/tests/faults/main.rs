//! A bad network loses no event: a delivery sends through a proxy, which breaks real connections in many ways, to the
//! sandbox.

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
