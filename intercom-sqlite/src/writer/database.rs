//! The connection that writes, and its recovery after the disk failed.
//!
//! After a failed fsync, the content of the disk is unknown. Linux still shows the written data,
//! forgets that it is not on the disk, and lets the next fsync succeed. So two facts are no longer
//! certain:
//!
//! - **That a commit failed.** It may be in the WAL behind the end that SQLite knows, and a
//!   crash would revive it. The next commit overwrites it. So the writer writes an empty commit
//!   over it before it answers callers.
//! - **That a checkpoint reached the file.** SQLite remembers how far earlier checkpoints came, and
//!   the next one would start there. But those pages may not be synced. Every commit in the WAL was
//!   synced. So the outbox reads the WAL afresh, and checkpoints it from its beginning.
//!
//! SQLite reads the WAL afresh only after all connections to the file have closed, because all
//! processes share its memory of the WAL. So a note beside the outbox tells every process:
//!
//! - While the note exists, no process checkpoints, and the WAL grows.
//! - An idle process closes its connections, and reads the WAL afresh if no other process has the
//!   file open. Otherwise it leaves the file closed until it needs it. A standby is idle, so it
//!   delays nothing. A process that accepts all the time delays this, and so does any other program
//!   with the file open.
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

/// The length of the WAL at which the process that delivers checkpoints: 16 MiB, in pages of 4 KiB.
const WAL_PAGES: i64 = 4_000;

/// The connection that writes, and the facts in doubt.
pub(crate) struct Database {
    path: PathBuf,
    settings: Settings,
    /// `None` after a failure, until the outbox reopens it.
    conn: Option<Connection>,
    reading: Reading,
    reserve: Reserve,
    /// The identity of the file and its WAL at opening.
    identity: Identity,
    /// Changes whenever another connection has written.
    data_version: i64,
    /// Whether a failed commit may be in the WAL.
    is_commit_in_doubt: bool,
    /// Whether a checkpoint failed between its two marks.
    is_marked: bool,
    /// Whether the WAL must be read afresh, although writing the note failed.
    is_stale: bool,
    /// The last fault, until a transaction succeeds.
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

    /// Returns whether the outbox may give the file's free pages back.
    pub(super) fn may_shrink(&self) -> bool {
        !self.settings.in_application_file
    }

    /// Returns the connection. Reopens a closed one.
    pub(super) fn conn(&mut self) -> Result<&mut Connection, Fault> {
        if self.conn.is_none() {
            let was_closed = self.reading.lock().ensure()?;
            let conn = open::again(&self.path, &self.settings)?;
            self.opened(conn, was_closed);
        }
        self.conn.as_mut().ok_or(Fault::ENDED)
    }

    /// Begins a write transaction. The reserve must hold what it adds to the file.
    pub(super) fn transaction(&mut self) -> Result<(Transaction<'_>, &mut Reserve), Fault> {
        self.conn()?;
        let conn = self.conn.as_mut().ok_or(Fault::ENDED)?;
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok((transaction, &mut self.reserve))
    }

    /// Returns whether the file and its WAL are still at their paths. No start would find the
    /// events of a deleted file.
    pub(super) fn is_there(&self) -> bool {
        self.identity == Identity::of(&self.path)
    }

    /// Returns the row of counts if another connection has written since the last read.
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

    /// Records a commit, and whether it took room.
    pub(super) fn worked(&mut self, took_room: bool) {
        self.is_commit_in_doubt = false;
        if self.failing.take_if(|kind| took_room || !kind.is_full()).is_some() {
            tracing::info!("the outbox works again");
        }
    }

    /// Drops a connection that failed, and recovers as far as the disk allows.
    pub(super) fn failed(&mut self, fault: &Fault) {
        self.leave(fault);
        self.recover();
        // On a full disk, a checkpointed WAL can restart in its own place. Then it has room to
        // record deliveries.
        if fault.kind == FaultKind::Full && !self.must_read_afresh() {
            self.reserve.give_up();
            self.bring_in();
        }
    }

    /// Checkpoints what it can without waiting for readers and writers.
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

    /// Returns whether the file stays closed so that another process can read the WAL afresh.
    pub(super) fn is_left_closed(&self) -> bool {
        self.conn.is_none() && self.must_read_afresh()
    }

    /// Checkpoints a long WAL after a commit. A failure endangers no event.
    ///
    /// The process that delivers does this. Others do it when the WAL is twice as long: the
    /// deliverer may have stopped or not exist.
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

    /// Removes the bytes of erased events from the file and its WAL. Gives free pages back, where
    /// earlier events may have left theirs, and empties the WAL.
    ///
    /// The WAL stays while another process reads the file. Then the idle writer empties it.
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

    /// Checkpoints the whole WAL, and truncates it. Returns whether it succeeded.
    pub(super) fn empty_wal(&mut self) -> bool {
        // Does not wait for another program's transaction, because callers of `lease` would wait
        // too. Emptying the WAL restores the timeout.
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

    /// Closes the file. The next start finds the WAL and settles what is in doubt.
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
        // Each connection counts changes separately.
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
        // Another process writes, and the next commit retries.
        if fault.kind == FaultKind::Busy {
            return;
        }
        // A full disk has lost nothing: the WAL holds what did not fit.
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
        // SQLite skips a page that has not changed.
        for needs_wal in [true, false] {
            wal::mark(&transaction, needs_wal)?;
        }
        transaction.commit()?;
        self.is_commit_in_doubt = false;
        self.is_marked = false;
        Ok(())
    }

    fn read_wal_afresh(&mut self) -> Result<(), Fault> {
        // Held throughout, so that the reading thread opens nothing meanwhile.
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

/// The identities of the files at the names of the outbox and its WAL.
#[derive(Debug, PartialEq, Eq)]
struct Identity([Option<(u64, u64)>; 2]);

impl Identity {
    /// Asks the operating system, which answers from memory.
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

/// This system cannot delete an open file.
#[cfg(not(unix))]
fn number(_: fs::Metadata) -> (u64, u64) {
    (0, 0)
}
