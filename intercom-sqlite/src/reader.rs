//! The reading thread: reading dead letters and counts holds up no writes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use intercom_delivery::outbox::{Counts, OutboxError};
use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::error::{Fault, OpenError};
use crate::open::{self, Settings};
use crate::store::accept::OldestOwn;
use crate::store::counts::CountsRow;

/// What the reading thread is asked for.
pub(crate) type Read = Box<dyn FnOnce(&mut Reader) + Send>;

/// The connection that reads, shared with the writer.
///
/// It keeps SQLite's memory of the WAL alive while the writer reopens its own. If the last connection
/// closed, the next one would read the WAL afresh, with a commit in it that failed. Where that is
/// wanted, the writer closes this one too.
#[derive(Clone)]
pub(crate) struct Reading(Arc<Mutex<Option<Connection>>>);

impl Reading {
    /// Nobody reads while the result lives.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        // A panic leaves the connection valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the connection if it is closed, and returns whether it was.
    pub(crate) fn ensure(&self, path: &Path, settings: &Settings) -> Result<bool, OpenError> {
        let mut conn = self.lock();
        let was_closed = conn.is_none();
        if was_closed {
            *conn = Some(open::again(path, settings)?);
        }
        Ok(was_closed)
    }
}

/// The state of the reading thread.
pub(crate) struct Reader {
    path: PathBuf,
    settings: Settings,
    reading: Reading,
    oldest_own: OldestOwn,
}

impl Reader {
    pub(crate) fn new(path: PathBuf, settings: Settings) -> Result<Self, OpenError> {
        let conn = open::again(&path, &settings)?;
        let counts = CountsRow::read(&conn).map_err(|error| OpenError::of(&path, error))?;
        let reading = Reading(Arc::new(Mutex::new(Some(conn))));
        Ok(Reader { path, settings, reading, oldest_own: OldestOwn::new(&counts) })
    }

    pub(crate) fn reading(&self) -> Reading {
        self.reading.clone()
    }

    /// Starts the thread. It ends when the last handle is dropped.
    pub(crate) fn start(mut self, mut reads: mpsc::Receiver<Read>) -> io::Result<JoinHandle<()>> {
        let run = move || {
            while let Some(read) = reads.blocking_recv() {
                read(&mut self);
            }
        };
        thread::Builder::new().name("intercom-sqlite-read".to_owned()).spawn(run)
    }

    /// Reads, and once more with another connection if that fails.
    pub(crate) fn read<T>(
        &mut self,
        read: impl Fn(&Connection, &mut OldestOwn) -> rusqlite::Result<T>,
    ) -> Result<T, OutboxError> {
        let mut reading = self.reading.lock();
        if let Some(conn) = &*reading
            && let Ok(answer) = read(conn, &mut self.oldest_own)
        {
            return Ok(answer);
        }
        // This connection may remember a fault that is over.
        let conn = open::again(&self.path, &self.settings);
        let conn = reading.insert(conn.map_err(|error| Fault::from(error).to_error())?);
        read(conn, &mut self.oldest_own).map_err(|error| Fault::from(error).to_error())
    }
}

/// Counts in one snapshot.
pub(crate) fn counts(conn: &Connection, oldest_own: &mut OldestOwn) -> rusqlite::Result<Counts> {
    let snapshot = conn.unchecked_transaction()?;
    let row = CountsRow::read(&snapshot)?;
    Ok(row.counts(oldest_own.find(&snapshot, &row)?))
}
