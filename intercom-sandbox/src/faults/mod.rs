//! Faults on request. `fault` defines them and `text` parses them. `active` and `target` select
//! those of a request. `applied` and `cut_short` change the answer.

mod active;
mod applied;
pub(crate) mod cut_short;
mod fault;
mod scope;
mod target;
mod text;

pub use active::{ActiveFault, FaultId};
pub use fault::Fault;
pub use text::InvalidFault;

pub(crate) use active::{Faults, Stage};
pub(crate) use applied::AppliedFaults;
pub(crate) use target::FaultTarget;
