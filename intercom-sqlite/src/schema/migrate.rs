//! Migrates the tables to the present version, in one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{APPLICATION_ID, SCHEMA_VERSION, STEPS};

/// Returns the version of the outbox's tables in this file, or 0 without tables.
///
/// The outbox keeps it in its own table, because an application owns `user_version` of its file.
pub(crate) fn version(conn: &Connection) -> rusqlite::Result<i32> {
    let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'outbox_schema'";
    if conn.query_row(there, [], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    let version = conn.query_row("SELECT max(version) FROM outbox_schema", [], |row| row.get(0));
    version.map(Option::unwrap_or_default)
}

/// Returns an application's table, view or index whose name the outbox needs.
pub(crate) fn name_taken(conn: &Connection) -> rusqlite::Result<Option<String>> {
    if version(conn)? > 0 {
        return Ok(None);
    }
    let ours = Connection::open_in_memory()?;
    for step in STEPS {
        ours.execute_batch(step)?;
        let mut names =
            ours.prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")?;
        let names = names.query_map([], |row| row.get::<_, String>(0))?;
        let there = "SELECT name FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE";
        for name in names {
            let found = conn.query_row(there, [name?], |row| row.get(0)).optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

/// Runs the missing steps, all of them or none. Marks a file that is only an outbox.
pub(crate) fn migrate(conn: &mut Connection, marked: bool) -> rusqlite::Result<()> {
    if version(conn)? >= SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS outbox_schema (version INTEGER PRIMARY KEY) STRICT",
    )?;
    // Read again, because another process may have run the steps meanwhile.
    let from = version(&transaction)?;
    for (step, sql) in (1..).zip(STEPS).skip(usize::try_from(from).unwrap_or_default()) {
        transaction.execute_batch(sql)?;
        transaction.execute("INSERT INTO outbox_schema (version) VALUES (?1)", [step])?;
    }
    if marked {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}
