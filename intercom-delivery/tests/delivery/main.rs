//! The engine through its public API, in virtual time.

mod smoke;
