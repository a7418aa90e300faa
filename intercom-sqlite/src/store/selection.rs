//! Finds the rows of a [`Selection`].

use intercom_core::rules;
use intercom_delivery::outbox::Selection;
use rusqlite::Connection;

use super::pending::text;

/// A selected row.
pub(super) struct Selected {
    pub(super) id: i64,
    pub(super) bytes: i64,
}

/// A table from which an operator selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Pending,
    Dead,
}

/// Finds the selected rows. Compares names here, because SQLite folds only ASCII.
pub(super) fn select(
    table: Table,
    conn: &Connection,
    which: &Selection,
) -> rusqlite::Result<Vec<Selected>> {
    let (reason, id, name) = match which {
        Selection::All => (None, None, None),
        // No pending event has a reason.
        Selection::Reason(_) if table == Table::Pending => return Ok(Vec::new()),
        Selection::Reason(reason) => (Some(reason.as_str()), None, None),
        Selection::One(id) => (None, Some(i64::try_from(id.get()).unwrap_or(i64::MAX)), None),
        Selection::Name(name) => (None, None, Some(rules::fold(name))),
        // A selection that this version does not know must not select everything.
        _ => return Ok(Vec::new()),
    };
    // Extracting every name would slow the other selections.
    let name_of = match name.is_some() {
        // A person may have damaged a body.
        true => "CASE WHEN json_valid(body) THEN body ->> 'event_name' END",
        false => "NULL",
    };
    let (table, reason_of) = match table {
        Table::Pending => ("outbox_events", "NULL"),
        Table::Dead => ("outbox_dead_letters", "reason"),
    };
    let mut select = conn.prepare_cached(&format!(
        "SELECT id, octet_length(body), {name_of} FROM {table} \
         WHERE (?1 IS NULL OR {reason_of} = ?1) AND (?2 IS NULL OR id = ?2) ORDER BY id"
    ))?;
    let mut rows = select.query((reason, id))?;
    let mut selected = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(name) = &name {
            let found = text(row, 2)?;
            let found = found.as_deref().map(String::from_utf8_lossy);
            if found.is_none_or(|found| rules::fold(&found) != *name) {
                continue;
            }
        }
        selected.push(Selected { id: row.get(0)?, bytes: row.get(1)? });
    }
    Ok(selected)
}
