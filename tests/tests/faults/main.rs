//! A bad network loses no event: a delivery sends through a proxy, which breaks real connections in many ways, to the
//! sandbox.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod control;
mod dice;
mod ending;
mod kinds;
mod proxy;
mod rig;
mod soak;
mod verdict;
mod witness;
