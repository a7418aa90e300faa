//! What is done to the tables, each within a transaction that its caller began.

pub(crate) mod accept;
pub(crate) mod books;
pub(crate) mod fingerprint;
pub(crate) mod fresh;
pub(crate) mod letters;
pub(crate) mod pending;
pub(crate) mod seconds;
