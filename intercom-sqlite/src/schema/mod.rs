//! The tables of the file, and how an older form of them becomes the present one.

mod migrate;

pub(crate) use migrate::{migrate, name_taken, version};

/// Says that a file is an outbox: "icom" in ASCII. `file` and `sqlite3` can tell it by that.
pub const APPLICATION_ID: i32 = 0x6963_6F6D;

/// Each step makes the tables of one version out of those of the version before. What was released is never changed:
/// another form of the tables is another step.
const STEPS: &[&str] = &[include_str!("v1.sql")];

/// The version of the tables that this crate reads and writes.
pub const SCHEMA_VERSION: i32 = STEPS.len() as i32;
