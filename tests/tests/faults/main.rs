//! A bad network loses no event. A delivery sends to the sandbox through a proxy that breaks real
//! connections in many ways.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod attempts;
mod control;
mod kinds;
mod proxy;
mod rig;
mod shutdown;
mod soak;
mod verdict;
