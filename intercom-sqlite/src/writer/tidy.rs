//! What is done when there is time: forgetting old seconds, giving space back, and emptying the log.

use rusqlite::{Connection, TransactionBehavior};

use crate::clock::Millis;
use crate::open::Settings;
use crate::store::books::{Books, Memory};
use crate::store::fresh;
use crate::store::seconds::{Key, START, sweep};

/// How many pages are given back in one go, of 4 KiB: so few that a request need not wait for long.
const PAGES: u32 = 1024;

/// So many free pages are kept, because they will be needed again.
const SPARE_PAGES: u32 = 256;

/// How many taken seconds are looked at in one go when there is time.
const ROWS: usize = 4096;

/// How many are looked at for each event that leaves. With more than one the table is gone through for good, and what
/// is forgotten never becomes more than a part of it.
const ROWS_PER_EVENT: usize = 4;

/// What is left to be tidied.
pub(super) struct Tidy {
    /// How far the table of taken seconds was gone through.
    from: Key,
    /// Whether it holds an event that has left, as far as this pass has seen.
    remembered: bool,
    /// Whether there was none in the whole of it.
    swept: bool,
    /// Whether the file may hold more free pages than it should.
    may_shrink: bool,
    /// Whether the log may hold anything.
    logged: bool,
    /// Whether there is more to do at once.
    more: bool,
}

/// What is to be done next.
pub(super) enum Step {
    /// Nothing that was not done.
    Done,
    /// To bring the log into the file.
    EmptyLog,
}

impl Default for Tidy {
    fn default() -> Self {
        Tidy {
            from: START,
            remembered: false,
            swept: false,
            may_shrink: true,
            logged: true,
            more: false,
        }
    }
}

impl Tidy {
    /// Something was written.
    pub(super) fn changed(&mut self) {
        self.swept = false;
        self.may_shrink = true;
        self.logged = true;
    }

    /// Something failed: not at once again.
    pub(super) fn rest(&mut self) {
        self.more = false;
    }

    /// Whether there is more to do at once, if nobody asks for anything else.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    /// Forgets what it is time to forget, in a transaction in which so many events leave.
    pub(super) fn ride(
        &mut self,
        conn: &Connection,
        memory: Memory,
        left: usize,
    ) -> rusqlite::Result<()> {
        self.more = false;
        if left > 0 {
            self.sweep(conn, memory, ROWS_PER_EVENT * left)?;
        }
        Ok(())
    }

    /// Whether the log was emptied.
    pub(super) fn emptied(&mut self, emptied: bool) {
        self.logged = !emptied;
    }

    /// Does one thing that is left to do, or says that it is to empty the log.
    pub(super) fn idle(
        &mut self,
        conn: &mut Connection,
        settings: &Settings,
        now: Millis,
    ) -> rusqlite::Result<Step> {
        self.more = false;
        if !self.swept && self.forget(conn, now)? {
            self.more = true;
        } else if self.may_shrink {
            self.may_shrink = !settings.in_application_file && shrink(conn)?;
            self.more = true;
        } else if self.logged {
            return Ok(Step::EmptyLog);
        }
        Ok(Step::Done)
    }

    /// Whether something was forgotten, and so there may be more.
    fn forget(&mut self, conn: &mut Connection, now: Millis) -> rusqlite::Result<bool> {
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = Books::read(&transaction)?;
        let mut books = before;
        books.turn_over(now);
        fresh::file(&transaction, &mut books)?;
        let deleted = self.sweep(&transaction, books.memory(now), ROWS)?;
        if books != before {
            books.write(&transaction)?;
        }
        transaction.commit()?;
        if deleted > 0 {
            self.may_shrink = true;
            self.logged = true;
        }
        Ok(deleted > 0)
    }

    fn sweep(&mut self, conn: &Connection, memory: Memory, rows: usize) -> rusqlite::Result<usize> {
        let swept = sweep(conn, memory, &mut self.from, rows)?;
        self.remembered |= swept.remembered;
        if swept.ended {
            self.swept = !self.remembered;
            self.remembered = false;
        }
        Ok(swept.deleted)
    }
}

/// Gives free pages back to the file system. Whether there are more.
fn shrink(conn: &Connection) -> rusqlite::Result<bool> {
    let free = || conn.pragma_query_value(None, "freelist_count", |row| row.get::<_, u32>(0));
    let mode: u32 = conn.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    let most = PAGES.min(free()?.saturating_sub(SPARE_PAGES));
    // A file that was made by something else may not be able to.
    if mode != 2 || most == 0 {
        return Ok(false);
    }
    // Each row is a page that was given back.
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({most})"))?;
    let mut rows = vacuum.raw_query();
    while rows.next()?.is_some() {}
    Ok(free()? > SPARE_PAGES)
}
