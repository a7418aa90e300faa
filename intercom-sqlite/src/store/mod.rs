//! Operations on the tables, each within the caller's transaction.

pub(crate) mod accept;
pub(crate) mod counts;
pub(crate) mod dead;
pub(crate) mod erased;
pub(crate) mod pending;
mod selection;
pub(crate) mod slots;
