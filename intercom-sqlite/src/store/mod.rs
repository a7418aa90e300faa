//! What is done to the tables, each within a transaction that the caller began.

pub(crate) mod accept;
pub(crate) mod counts;
pub(crate) mod dead;
pub(crate) mod erased;
pub(crate) mod pending;
mod selection;
pub(crate) mod slots;
