//! The reading thread: who looks at dead letters does not hold up who writes.

use std::io;
use std::path::PathBuf;
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

/// The state of the reading thread.
///
/// Its connection is also what keeps SQLite's log as it is while the writing one is opened anew: the last one to close
/// would make the next one read the log afresh, with what a commit left in it that failed.
pub(crate) struct Reader {
    path: PathBuf,
    settings: Settings,
    conn: Connection,
}

impl Reader {
    pub(crate) fn new(path: PathBuf, settings: Settings) -> Result<Self, OpenError> {
        let conn = open::again(&path, &settings)?;
        Ok(Reader { path, settings, conn })
    }

    /// Starts the thread. It ends when nobody can ask for anything any more.
    pub(crate) fn start(mut self, mut reads: mpsc::Receiver<Read>) -> io::Result<JoinHandle<()>> {
        let run = move || {
            while let Some(Read { after, most, reply }) = reads.blocking_recv() {
                let letters = self.read(after, most).map_err(|fault| fault.to_error());
                // Who asked may have stopped waiting.
                let _ = reply.send(letters);
            }
        };
        thread::Builder::new().name("intercom-sqlite-read".to_owned()).spawn(run)
    }

    fn read(&mut self, after: Option<EventId>, most: usize) -> Result<Vec<DeadLetter>, Fault> {
        match letters::read(&self.conn, after, most) {
            Ok(letters) => Ok(letters),
            // Once more with another connection: this one may have seen a fault that is over.
            Err(_) => {
                self.conn = open::again(&self.path, &self.settings)?;
                Ok(letters::read(&self.conn, after, most)?)
            }
        }
    }
}
