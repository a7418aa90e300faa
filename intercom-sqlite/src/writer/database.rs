//! The connection that writes, and its recovery after the disk failed.
//!
//! After a failed fsync nobody knows what is on the disk. Linux goes on to show what was written,
//! forgets that it is not on the disk, and lets the next fsync succeed. So two things cannot be
//! relied on any more:
//!
//! - **That a commit failed.** It may stand in the WAL behind its end as SQLite knows it, and a crash
//!   would bring it back. The next commit in that place makes that impossible. So an empty commit is
//!   written over it before its callers are told.
//! - **That a checkpoint reached the file.** SQLite remembers how far earlier checkpoints came, which
//!   may not have been synced, and the next one would begin there. But every commit in the WAL was
//!   synced. So the WAL is read afresh, and brought into the file from its beginning.
//!
//! SQLite reads the WAL afresh only after all connections to the file have closed, because its memory
//! is shared by all processes. So a note in the lock file tells every process of it:
//!
//! - While the note is there, no process checkpoints, and the WAL grows.
//! - An idle process closes its connections and reads the WAL afresh if it is then alone. If it is
//!   not, it leaves the file closed until it needs it. A standby is idle, so it holds nobody up. A
//!   process that accepts all the time does, and so does any other program that has the file open.
//! - A process that opens the file alone reads the WAL afresh by that.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::maintenance;
use crate::error::{Fault, FaultKind, OpenError};
use crate::open::lock::beside;
use crate::open::reserve::Reserve;
use crate::open::{self, Settings, lock, wal};
use crate::reader::Reading;
use crate::store::counts::CountsRow;
use crate::store::erased;

/// How long the WAL may become before the process that delivers checkpoints, in pages of 4 KiB: 16
/// MiB.
const WAL_PAGES: i64 = 4_000;

/// The connection that writes, and what is in doubt.
pub(crate) struct Database {
    path: PathBuf,
    settings: Settings,
    /// `None` after a failure, until it is opened again.
    conn: Option<Connection>,
    reading: Reading,
    reserve: Reserve,
    /// The file and its WAL, as they were opened.
    identity: Identity,
    /// Changes whenever another connection has written.
    data_version: i64,
    /// Whether a failed commit may stand in the WAL.
    is_commit_in_doubt: bool,
    /// Whether a checkpoint failed between its two marks.
    is_marked: bool,
    /// Whether the WAL must be read afresh, and the note of it could not be written.
    is_stale: bool,
    /// How it failed, if it has not worked since.
    failing: Option<FaultKind>,
}

impl Database {
    pub(crate) fn new(
        path: PathBuf,
        settings: Settings,
        conn: Connection,
        reading: Reading,
    ) -> Self {
        Database {
            reserve: Reserve::of(&path),
            identity: Identity::of(&path),
            path,
            settings,
            conn: Some(conn),
            reading,
            data_version: i64::MIN,
            is_commit_in_doubt: false,
            is_marked: false,
            is_stale: false,
            failing: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether its free pages are the outbox's to give back.
    pub(super) fn may_shrink(&self) -> bool {
        !self.settings.in_application_file
    }

    /// Returns the connection. Opens it if it is closed.
    pub(super) fn conn(&mut self) -> Result<&mut Connection, Fault> {
        if self.conn.is_none() {
            let was_closed = self.reading.lock().ensure()?;
            let conn = open::again(&self.path, &self.settings)?;
            self.opened(conn, was_closed);
        }
        self.conn.as_mut().ok_or(Fault::ENDED)
    }

    /// Begins a transaction that writes. What it adds to the file must be in the reserve.
    pub(super) fn transaction(&mut self) -> Result<(Transaction<'_>, &mut Reserve), Fault> {
        self.conn()?;
        let conn = self.conn.as_mut().ok_or(Fault::ENDED)?;
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok((transaction, &mut self.reserve))
    }

    /// Returns whether the file and its WAL are where they were opened. What is put into a deleted
    /// file, no start would find.
    pub(super) fn is_there(&self) -> bool {
        self.identity == Identity::of(&self.path)
    }

    /// Returns the row of counts if another connection has written since it was read here.
    pub(super) fn changes(&mut self) -> Result<Option<CountsRow>, Fault> {
        let before = self.data_version;
        let conn = self.conn()?;
        let mut pragma = conn.prepare_cached("PRAGMA data_version")?;
        let version = pragma.query_row([], |row| row.get(0))?;
        drop(pragma);
        if version == before {
            return Ok(None);
        }
        let counts = CountsRow::read(conn)?;
        self.data_version = version;
        Ok(Some(counts))
    }

    /// Notes that a transaction was committed, and whether it took room.
    pub(super) fn worked(&mut self, took_room: bool) {
        self.is_commit_in_doubt = false;
        if self.failing.take_if(|kind| took_room || !kind.is_full()).is_some() {
            tracing::info!("the outbox works again");
        }
    }

    /// Leaves a connection that failed, and recovers as far as the disk allows.
    pub(super) fn failed(&mut self, fault: &Fault) {
        self.leave(fault);
        self.recover();
        // On a full disk the WAL can begin anew in its own place, if all of it is in the file. Then
        // there is room to store which events have left.
        if fault.kind == FaultKind::Full && !self.must_read_afresh() {
            self.reserve.give_up();
            self.bring_in();
        }
    }

    /// Brings into the file what can be without waiting for readers and writers.
    pub(super) fn bring_in(&mut self) {
        let done = self.conn().map(drop).and_then(|()| self.seal(wal::checkpoint));
        if let Err(fault) = done {
            self.checkpoint_failed(&fault);
        }
    }

    /// Recovers from earlier failures as far as the disk and other processes allow. Returns whether
    /// nothing is in doubt.
    pub(super) fn recover(&mut self) -> bool {
        let recovered = match self.is_commit_in_doubt || self.is_marked {
            true => self.write_over(),
            false => Ok(()),
        };
        let recovered = recovered.and_then(|()| match self.must_read_afresh() {
            true => self.read_wal_afresh(),
            false => Ok(()),
        });
        if let Err(fault) = &recovered {
            self.leave(fault);
        }
        recovered.is_ok()
    }

    /// Returns whether the file is closed so that another process can read the WAL afresh.
    pub(super) fn is_left_closed(&self) -> bool {
        self.conn.is_none() && self.must_read_afresh()
    }

    /// Checkpoints after a commit, if the WAL has become long. If that fails, no event is in danger.
    ///
    /// This is for the process that delivers. Others do it too when the WAL is twice as long: that
    /// process may have stopped, or there may be none.
    pub(super) fn shorten_wal(&mut self, is_deliverer: bool) {
        let pages = if is_deliverer { WAL_PAGES } else { 2 * WAL_PAGES };
        let Some(conn) = &self.conn else { return };
        let is_long = wal::extent(conn).map(|extent| extent.logged >= pages);
        let done = match is_long {
            Ok(true) if !self.must_read_afresh() => {
                let reading = self.reading.clone();
                self.seal(|conn| match &reading.lock().conn {
                    Some(other) => wal::checkpoint_all(conn, other),
                    None => wal::checkpoint(conn),
                })
            }
            is_long => is_long.map(drop).map_err(Fault::from),
        };
        if let Err(fault) = done {
            self.checkpoint_failed(&fault);
        }
    }

    /// Leaves no bytes of erased events in the file and its WAL: gives free pages back, where earlier
    /// events may have left theirs, and empties the WAL.
    ///
    /// The WAL stays while another process reads the file. Then it is emptied when nothing is asked
    /// for.
    pub(super) fn overwrite_deleted(&mut self) {
        let timeout = self.settings.lock_timeout;
        let Some(conn) = &self.conn else { return };
        let done = erased::overwrite(conn, self.settings.secure_delete())
            .and_then(|()| maintenance::give_all_back(conn));
        if let Err(error) = done {
            tracing::warn!(%error, "free pages may keep bytes of erased events for some time");
        }
        let began = Instant::now();
        while !self.empty_wal() {
            if began.elapsed() >= timeout {
                tracing::warn!(
                    "another process reads the file, so the WAL keeps bytes of erased events until \
                     that ends"
                );
                return;
            }
            thread::sleep(lock::RETRY);
        }
    }

    /// Brings all of the WAL into the file, and gives its space back. Returns whether it could.
    pub(super) fn empty_wal(&mut self) -> bool {
        // A transaction of another program is not waited for, because callers of `lease` would wait
        // with it. Emptying the WAL ends this.
        let dont_wait = |conn: &Connection| conn.busy_timeout(Duration::ZERO);
        if self.must_read_afresh() || self.conn.as_ref().is_none_or(|conn| dont_wait(conn).is_err())
        {
            return false;
        }
        let lock_timeout = self.settings.lock_timeout;
        match self.seal(|conn| wal::empty(conn, lock_timeout)) {
            Ok(emptied) => {
                if emptied {
                    self.reserve.shrink();
                }
                emptied
            }
            Err(fault) => {
                self.checkpoint_failed(&fault);
                false
            }
        }
    }

    /// Checkpoints, and leaves the mark of a file whose WAL is beside it.
    fn seal<T>(
        &mut self,
        checkpoint: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let is_there = self.is_there();
        let conn = self.conn.as_ref().ok_or(Fault::ENDED)?;
        if !is_there {
            return Ok(checkpoint(conn)?);
        }
        self.is_marked = true;
        let done = wal::sealed(conn, || checkpoint(conn))?;
        self.is_marked = false;
        Ok(done)
    }

    /// Closes the file. What is still in doubt is for the next start, which finds the WAL.
    pub(super) fn close(mut self) {
        if !self.recover() {
            for conn in [&self.conn, &self.reading.lock().conn].into_iter().flatten() {
                let _ = wal::keep(conn, true);
            }
        }
    }

    fn opened(&mut self, conn: Connection, was_closed: bool) {
        self.conn = Some(conn);
        if was_closed {
            self.identity = Identity::of(&self.path);
        }
        // Each connection counts the changes in its own way.
        self.data_version = i64::MIN;
    }

    fn leave(&mut self, fault: &Fault) {
        self.is_commit_in_doubt |= fault.kind == FaultKind::Disk;
        if !matches!(fault.kind, FaultKind::Busy | FaultKind::NoReserve) {
            self.conn = None;
        }
        if self.failing.replace(fault.kind).is_none() {
            tracing::error!(error = %fault.to_error(), "the outbox failed");
        }
    }

    fn checkpoint_failed(&mut self, fault: &Fault) {
        // Another process writes, and the next commit tries again.
        if fault.kind == FaultKind::Busy {
            return;
        }
        // A full disk has lost nothing: what did not fit is in the WAL.
        if fault.kind == FaultKind::Disk {
            self.is_stale = lock::note_stale_wal(&self.path).is_err();
        }
        self.leave(fault);
        self.recover();
    }

    fn must_read_afresh(&self) -> bool {
        self.is_stale || lock::is_wal_stale(&self.path)
    }

    fn write_over(&mut self) -> Result<(), Fault> {
        let (transaction, _) = self.transaction()?;
        // SQLite writes no page that has not changed at any time.
        for needs_wal in [true, false] {
            wal::mark(&transaction, needs_wal)?;
        }
        transaction.commit()?;
        self.is_commit_in_doubt = false;
        self.is_marked = false;
        Ok(())
    }

    fn read_wal_afresh(&mut self) -> Result<(), Fault> {
        // Held all along, so that the reading thread opens nothing meanwhile.
        let shared = self.reading.clone();
        let mut reading = shared.lock();
        for conn in [self.conn.take(), reading.conn.take()].into_iter().flatten() {
            wal::keep(&conn, true)?;
        }
        let conn = open::again(&self.path, &self.settings)?;
        wal::keep(&conn, true)?;
        if wal::extent(&conn)?.checkpointed > 0 {
            return Err(Fault::SHARED);
        }
        wal::sealed(&conn, || wal::empty(&conn, self.settings.lock_timeout))?;
        let cleared = lock::clear_stale_wal(&self.path);
        cleared.map_err(|source| OpenError::Io { path: self.path.clone(), source })?;
        reading.ensure()?;
        wal::keep(&conn, false)?;
        self.opened(conn, true);
        self.is_stale = false;
        Ok(())
    }
}

/// Which files have the names of the outbox and of its WAL.
#[derive(Debug, PartialEq, Eq)]
struct Identity([Option<(u64, u64)>; 2]);

impl Identity {
    /// Asks the operating system, whose answer comes from memory.
    fn of(path: &Path) -> Self {
        Identity(
            [path.to_owned(), beside(path, "-wal")].map(|path| fs::metadata(path).ok().map(number)),
        )
    }
}

#[cfg(unix)]
fn number(file: fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

/// A file that is open cannot be deleted here.
#[cfg(not(unix))]
fn number(_: fs::Metadata) -> (u64, u64) {
    (0, 0)
}
