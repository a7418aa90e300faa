//! The tables of the file, and the steps from each version to the next.

mod migrate;

pub(crate) use migrate::{migrate, name_taken, version};

/// Marks a file as an outbox: "icom" in ASCII. `file` and `sqlite3` show it.
pub const APPLICATION_ID: i32 = 0x6963_6F6D;

/// Each step makes one version's tables from the previous version's. A released step never changes.
const STEPS: &[&str] = &[
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
];

/// The version of the tables that this crate reads and writes.
pub const SCHEMA_VERSION: i32 = STEPS.len() as i32;
