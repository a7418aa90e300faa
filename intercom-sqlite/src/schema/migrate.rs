//! From an older form of the tables to the present one, in one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{APPLICATION_ID, STEPS};

/// Which version the tables of an outbox have in this file. None there are version 0.
///
/// It is kept in a table of its own, so that an application that has the outbox in its file can number its own tables
/// with `user_version`.
pub(crate) fn version(conn: &Connection) -> rusqlite::Result<i32> {
    let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'outbox_schema'";
    if conn.query_row(there, [], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    let version = conn.query_row("SELECT max(version) FROM outbox_schema", [], |row| row.get(0));
    version.map(Option::unwrap_or_default)
}

/// Where there are no tables yet: a table, view or index that is there and has the name of one of them.
pub(crate) fn name_taken(conn: &Connection) -> rusqlite::Result<Option<String>> {
    if version(conn)? > 0 {
        return Ok(None);
    }
    let ours = Connection::open_in_memory()?;
    STEPS.iter().try_for_each(|step| ours.execute_batch(step))?;
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
    Ok(None)
}

/// Takes the steps that are missing. With a file that is an outbox and nothing else, it is marked as one.
///
/// Where the process dies, all of the steps were taken or none.
pub(crate) fn migrate(conn: &mut Connection, marked: bool) -> rusqlite::Result<()> {
    take(conn, STEPS, marked)
}

fn take(conn: &mut Connection, steps: &[&str], marked: bool) -> rusqlite::Result<()> {
    let known = steps.len() as i32;
    if version(conn)? >= known {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS outbox_schema (version INTEGER PRIMARY KEY) STRICT",
    )?;
    // Asked again, now that nobody else can have taken them in between.
    let from = version(&transaction)?;
    for (step, sql) in (1..).zip(steps).skip(usize::try_from(from).unwrap_or_default()) {
        transaction.execute_batch(sql)?;
        transaction.execute("INSERT INTO outbox_schema (version) VALUES (?1)", [step])?;
    }
    if marked {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", known)?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE thing (name TEXT); INSERT INTO thing VALUES ('kept')";
    const SECOND: &str = "ALTER TABLE thing ADD COLUMN colour TEXT DEFAULT 'blue'";

    fn thing(conn: &Connection) -> (String, String) {
        conn.query_row("SELECT name, colour FROM thing", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    }

    #[test]
    fn an_older_file_takes_the_steps_that_it_misses_and_keeps_what_it_has() {
        let mut conn = Connection::open_in_memory().unwrap();
        take(&mut conn, &[FIRST], true).unwrap();
        assert_eq!(version(&conn).unwrap(), 1);
        take(&mut conn, &[FIRST, SECOND], true).unwrap();
        assert_eq!(version(&conn).unwrap(), 2);
        assert_eq!(thing(&conn), ("kept".to_owned(), "blue".to_owned()));
        let marked: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(marked, 2);
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let mut conn = Connection::open_in_memory().unwrap();
        take(&mut conn, &[FIRST], false).unwrap();
        let broken = "UPDATE thing SET name = 'lost'; SELECT nonsense FROM nowhere";
        take(&mut conn, &[FIRST, SECOND, broken], false).unwrap_err();
        assert_eq!(version(&conn).unwrap(), 1);
        let name: String = conn.query_row("SELECT name FROM thing", [], |row| row.get(0)).unwrap();
        assert_eq!(name, "kept");
    }

    #[test]
    fn a_file_of_an_application_keeps_its_own_numbers() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "user_version", 41).unwrap();
        migrate(&mut conn, false).unwrap();
        let theirs: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(theirs, 41);
        let mark: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
        assert_eq!(mark, 0);
    }
}
