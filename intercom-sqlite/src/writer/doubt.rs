//! What a disk that failed puts in doubt, and how it is made certain again.
//!
//! After a sync that failed, nobody knows what is on the disk. Linux goes on to show what was written, forgets that it
//! is not on the disk, and lets the next sync succeed. So two things must not be relied on any more:
//!
//! - **That a commit failed.** It may stand in the log all the same, behind where SQLite takes the log to end, and would
//!   be found there after a crash. A commit of nothing is written over it, before its callers are told.
//! - **That the file has what a checkpoint brought in.** SQLite remembers how far it came, and would go on from there.
//!   The log, of which every commit was synced, still has all of it: it is read afresh, and brought in from its beginning.
//!   This takes that nobody has the file open, because what SQLite remembers lives in memory that all of them share. Until
//!   then nothing more is brought in, and the log grows.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::Writer;
use crate::error::Fault;
use crate::open::{self, log};

/// How long the log may become before it is brought into the file, in pages of 4 KiB: 16 MiB.
const LOG_PAGES: i64 = 4_000;

/// What is in doubt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubts {
    /// Whether a commit that failed may stand in the log.
    pub(super) commit: bool,
    /// Whether the file may lack what was brought in from the log.
    pub(super) file: bool,
}

impl Writer {
    /// Makes certain what is in doubt, as far as the disk lets it.
    pub(super) fn make_certain(&mut self) {
        if self.doubts.commit
            && let Err(fault) = self.write_over()
        {
            return self.give_up(&fault);
        }
        if self.doubts.file
            && let Err(fault) = self.read_log_afresh()
        {
            self.give_up(&fault);
        }
    }

    /// After a commit: brings the log into the file when it has become long. If that fails, no event is in danger.
    pub(super) fn shorten_log(&mut self) {
        let Some(conn) = &self.conn else { return };
        if self.doubts.file {
            return;
        }
        let done = log::extent(conn).and_then(|extent| match extent.logged >= LOG_PAGES {
            true => log::bring_in(conn),
            false => Ok(()),
        });
        if let Err(error) = done {
            self.not_brought_in(&error.into());
        }
    }

    /// When there is time: brings all of the log into the file.
    pub(super) fn empty_log(&mut self) {
        let Some(conn) = &self.conn else { return };
        if self.doubts.file {
            return;
        }
        match log::empty(conn, self.settings.lock_timeout) {
            Ok(emptied) => self.tidy.emptied(emptied),
            Err(error) => self.not_brought_in(&error.into()),
        }
    }

    /// After something found no room: the log begins anew in the place that it has, as soon as all of it is in the file. So
    /// that can be written down which events have left, unless the file itself would have to grow.
    pub(super) fn make_room(&mut self, fault: &Fault) {
        if !fault.full || self.doubts.file {
            return;
        }
        if let Err(fault) = self.ready().and_then(|conn| Ok(log::bring_in(conn)?)) {
            self.not_brought_in(&fault);
        }
    }

    /// Nobody will ask for anything any more. What is still in doubt then is for the next start, which finds the log.
    pub(super) fn end(mut self) {
        self.make_certain();
        if self.doubts.file {
            for conn in [&self.conn, &*self.reading.lock()].into_iter().flatten() {
                let _ = leave_log(conn, true);
            }
        }
    }

    /// What is in the log could not be brought into the file.
    fn not_brought_in(&mut self, fault: &Fault) {
        // A disk without room has lost nothing: what did not fit is in the log.
        self.doubts.file |= fault.doubtful;
        self.give_up(fault);
        self.make_certain();
    }

    fn write_over(&mut self) -> Result<(), Fault> {
        self.ready()?;
        let conn = self.conn.as_mut().ok_or(Fault::ENDED)?;
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // SQLite writes no page that has not changed at any time.
        for change in ["era = era + 1", "era = era - 1"] {
            transaction.execute(&format!("UPDATE outbox_counts SET {change}"), [])?;
        }
        transaction.commit()?;
        self.doubts.commit = false;
        Ok(())
    }

    fn read_log_afresh(&mut self) -> Result<(), Fault> {
        // Held all along, so that the reading thread opens nothing meanwhile.
        let shared = self.reading.clone();
        let mut reading = shared.lock();
        for conn in [self.conn.take(), reading.take()].into_iter().flatten() {
            leave_log(&conn, true)?;
        }
        let conn = open::again(&self.path, &self.settings)?;
        leave_log(&conn, true)?;
        if log::extent(&conn)?.brought_in > 0 {
            return Err(Fault::SHARED);
        }
        log::empty(&conn, self.settings.lock_timeout)?;
        *reading = Some(open::again(&self.path, &self.settings)?);
        leave_log(&conn, false)?;
        self.opened(conn);
        self.doubts.file = false;
        Ok(())
    }
}

/// Whether the log is to be let alone when this connection is closed, instead of brought into the file.
fn leave_log(conn: &Connection, leave: bool) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leave).map(drop)
}
