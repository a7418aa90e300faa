//! The reading thread: who looks at dead letters does not hold up who writes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use intercom_delivery::outbox::{DeadLetter, EventId, OutboxError};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Fault, OpenError};
use crate::open::{self, Settings};
use crate::store::letters;

/// Dead letters that somebody wants to see.
pub(crate) struct Read {
    pub(crate) after: Option<EventId>,
    pub(crate) most: usize,
    pub(crate) reply: oneshot::Sender<Result<Vec<DeadLetter>, OutboxError>>,
}

/// The connection that reads. The writing thread knows it too.
///
/// It also keeps SQLite's log as it is while the writing one is opened anew: the last one to close would make the next
/// one read the log afresh, with what a commit left in it that failed. Where that is wanted, it is closed.
#[derive(Clone)]
pub(crate) struct Reading(Arc<Mutex<Option<Connection>>>);

impl Reading {
    /// Nobody reads while this is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        // A connection that somebody panicked over is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens it where it is not.
    pub(crate) fn ensure(&self, path: &Path, settings: &Settings) -> Result<(), OpenError> {
        let mut conn = self.lock();
        if conn.is_none() {
            *conn = Some(open::again(path, settings)?);
        }
        Ok(())
    }
}

/// The state of the reading thread.
pub(crate) struct Reader {
    path: PathBuf,
    settings: Settings,
    reading: Reading,
}

impl Reader {
    pub(crate) fn new(path: PathBuf, settings: Settings) -> Result<Self, OpenError> {
        let conn = open::again(&path, &settings)?;
        let reading = Reading(Arc::new(Mutex::new(Some(conn))));
        Ok(Reader { path, settings, reading })
    }

    pub(crate) fn reading(&self) -> Reading {
        self.reading.clone()
    }

    /// Starts the thread. It ends when nobody can ask for anything any more.
    pub(crate) fn start(self, mut reads: mpsc::Receiver<Read>) -> io::Result<JoinHandle<()>> {
        let run = move || {
            while let Some(Read { after, most, reply }) = reads.blocking_recv() {
                let letters = self.read(after, most).map_err(|fault| fault.to_error());
                // Who asked may have stopped waiting.
                let _ = reply.send(letters);
            }
        };
        thread::Builder::new().name("intercom-sqlite-read".to_owned()).spawn(run)
    }

    fn read(&self, after: Option<EventId>, most: usize) -> Result<Vec<DeadLetter>, Fault> {
        let mut reading = self.reading.lock();
        if let Some(conn) = &*reading
            && let Ok(letters) = letters::read(conn, after, most)
        {
            return Ok(letters);
        }
        // Once more with another connection: this one may have seen a fault that is over.
        let conn = reading.insert(open::again(&self.path, &self.settings)?);
        Ok(letters::read(conn, after, most)?)
    }
}
