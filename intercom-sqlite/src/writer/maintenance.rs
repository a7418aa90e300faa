//! Idle maintenance: gives free pages back, and empties the WAL.

use rusqlite::Connection;

use super::database::Database;
use crate::error::Fault;
use crate::schema::APPLICATION_ID;

/// The pages of 4 KiB to give back in one step. A step is short, because requests wait for it.
const PAGES: u32 = 1024;

/// The free pages to keep for later use.
const SPARE_PAGES: u32 = 256;

/// The remaining work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Maintenance {
    /// The file may have too many free pages.
    Shrink,
    /// The WAL may hold something.
    EmptyWal,
    Nothing,
}

impl Maintenance {
    /// Runs one step. Returns whether the next follows at once, if no request comes.
    pub(super) fn step(&mut self, database: &mut Database) -> Result<bool, Fault> {
        match self {
            Maintenance::Shrink => {
                if !database.may_shrink() || !shrink(database.conn()?)? {
                    *self = Maintenance::EmptyWal;
                }
                return Ok(true);
            }
            Maintenance::EmptyWal if database.empty_wal() => *self = Maintenance::Nothing,
            Maintenance::EmptyWal | Maintenance::Nothing => {}
        }
        Ok(false)
    }
}

/// Gives free pages back to the file system. Returns whether there are more.
fn shrink(conn: &Connection) -> rusqlite::Result<bool> {
    give_back(conn, PAGES, SPARE_PAGES)
}

/// Gives all free pages back to the file system, unless the file is an application's.
pub(crate) fn give_all_back(conn: &Connection) -> rusqlite::Result<()> {
    let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION_ID { give_back(conn, u32::MAX, 0).map(drop) } else { Ok(()) }
}

fn give_back(conn: &Connection, most: u32, spare: u32) -> rusqlite::Result<bool> {
    let free = || conn.pragma_query_value(None, "freelist_count", |row| row.get::<_, u32>(0));
    let mode: u32 = conn.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    let pages = most.min(free()?.saturating_sub(spare));
    // A file of another program may not support it.
    if mode != 2 || pages == 0 {
        return Ok(false);
    }
    // Each row is one page that was given back.
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = vacuum.raw_query();
    while rows.next()?.is_some() {}
    Ok(free()? > spare)
}
