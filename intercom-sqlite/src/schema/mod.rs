//! The tables of the file, and the steps from each version to the next.

mod migrate;

use intercom_delivery::outbox::OutboxError;
use rusqlite::Connection;

use crate::error::Fault;

pub(crate) use migrate::{migrate, name_taken, version};

/// The `application_id` of an outbox's file: "icom" in ASCII. The programs `file` and `sqlite3`
/// show it.
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

/// Fails when the tables are not of this version: another program may have migrated them under an
/// open connection.
pub(crate) fn expect_tables(conn: &Connection) -> Result<(), OutboxError> {
    match version(conn).map_err(|error| Fault::from(error).to_error())? {
        SCHEMA_VERSION => Ok(()),
        0 => Err(OutboxError::new(
            "this file has no outbox; open it first, with \
             `SqliteOutbox::builder(…).in_application_file()`",
        )),
        found => Err(OutboxError::new(format!(
            "the tables of the outbox have the version {found}, and this program writes the \
             version {SCHEMA_VERSION}; build all programs that write to the file with the same \
             version of intercom-sqlite"
        ))),
    }
}
