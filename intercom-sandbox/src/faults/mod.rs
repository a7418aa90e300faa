//! Faults on request: definition (`fault`), text form (`text`), selection (`machine`, `meeting`)
//! and effect on the answer (`strike`, `cut_short`).

pub(crate) mod cut_short;
mod fault;
mod machine;
mod meeting;
mod scope;
mod strike;
mod text;

pub use fault::Fault;
pub use machine::{ActiveFault, FaultId};
pub use text::InvalidFault;

pub(crate) use machine::{Faults, Stage};
pub(crate) use meeting::Meeting;
pub(crate) use strike::Strike;
