//! The writing thread: it owns the connection that writes, and every decision about what is written.
//!
//! Whatever has queued up while one commit was on its way to the disk goes into the next one. Nobody waits for company:
//! who is alone is written at once.

mod batch;
mod doubt;
mod leases;
mod recent;
mod request;
mod tidy;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::doubt::Doubts;
use self::leases::Leases;
use self::tidy::{Step, Tidy};
use crate::clock::Clock;
use crate::error::{Fault, OpenError};
use crate::identity::Identity;
use crate::open::{self, Settings};
use crate::reader::Reading;
use crate::shared::Shared;
use crate::store::books::{Base, Books};
use crate::store::fresh::Fresh;
use crate::store::pending;

pub(crate) use self::request::{Answer, Request, Write};

/// How many requests go into one transaction at the most.
const BATCH: usize = 4096;

/// The state of the writing thread.
pub(crate) struct Writer {
    path: PathBuf,
    identity: Identity,
    settings: Settings,
    clock: Clock,
    shared: Arc<Shared>,
    /// None after it failed, until it is opened anew.
    conn: Option<Connection>,
    /// The other connection of this process. While it is there, SQLite does not read the log afresh, in which there may
    /// be a commit that failed.
    reading: Reading,
    doubts: Doubts,
    /// Changes whenever somebody else has written.
    data_version: i64,
    base: Base,
    books: Books,
    fresh: Fresh,
    leases: Leases,
    tidy: Tidy,
    /// Whether it failed, and has not worked since.
    troubled: bool,
}

impl Writer {
    /// Begins to count from what is found.
    pub(crate) fn new(
        path: PathBuf,
        conn: Connection,
        reading: Reading,
        settings: Settings,
        clock: Clock,
        shared: Arc<Shared>,
    ) -> Result<Self, OpenError> {
        let begin = || -> rusqlite::Result<_> {
            Ok((Books::read(&conn)?, pending::oldest(&conn)?, data_version(&conn)?))
        };
        let (books, oldest, data_version) = begin().map_err(|error| OpenError::of(&path, error))?;
        let base = Base::at(&books);
        shared.set_counts(books.counts_since(&base, oldest));
        let (leases, tidy) = (Leases::new(books.newest), Tidy::default());
        let conn = Some(conn);
        let identity = Identity::of(&path);
        Ok(Writer {
            path,
            identity,
            settings,
            clock,
            shared,
            conn,
            reading,
            doubts: Doubts::default(),
            data_version,
            base,
            books,
            fresh: Fresh::default(),
            leases,
            tidy,
            troubled: false,
        })
    }

    /// Starts the thread. It ends when nobody can ask for anything any more.
    pub(crate) fn start(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        poll_interval: Duration,
    ) -> io::Result<JoinHandle<()>> {
        // It is a runtime only to wait for a request or for a time, whichever comes first.
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let run = move || {
            runtime.block_on(async {
                let mut batch = Vec::new();
                loop {
                    let rest = match self.tidy.has_more() {
                        true => Duration::ZERO,
                        false => poll_interval,
                    };
                    match timeout(rest, requests.recv_many(&mut batch, BATCH)).await {
                        Ok(0) => break,
                        Ok(_) => self.serve(&mut batch, &mut requests),
                        Err(_) => self.idle(),
                    }
                }
            });
            self.end();
        };
        thread::Builder::new().name("intercom-sqlite".to_owned()).spawn(run)
    }

    /// Nobody asks for anything: time to see what others wrote, and to tidy up.
    fn idle(&mut self) {
        self.make_certain();
        let done = self.ready().map(drop).and_then(|()| {
            self.look()?;
            let conn = self.conn.as_mut().ok_or(Fault::ENDED)?;
            Ok(self.tidy.idle(conn, &self.settings, self.clock.now())?)
        });
        match done {
            Ok(Step::Done) => {}
            Ok(Step::EmptyLog) => self.empty_log(),
            Err(fault) => {
                self.give_up(&fault);
                self.make_room(&fault);
            }
        }
    }

    /// Does all that there would be time for.
    fn tidy_up(&mut self) {
        self.idle();
        while self.tidy.has_more() {
            self.idle();
        }
    }

    /// Makes sure that there is a connection.
    fn ready(&mut self) -> Result<&Connection, Fault> {
        if self.conn.is_none() {
            self.reading.ensure(&self.path, &self.settings)?;
            self.opened(open::again(&self.path, &self.settings)?);
        }
        self.conn.as_ref().ok_or(Fault::ENDED)
    }

    fn opened(&mut self, conn: Connection) {
        self.conn = Some(conn);
        // The new connection numbers otherwise, and others may have written in between.
        self.data_version = i64::MIN;
    }

    /// Sees whether others have written to the file, and what.
    fn look(&mut self) -> Result<(), Fault> {
        let Some(conn) = &self.conn else { return Ok(()) };
        let version = data_version(conn)?;
        if version == self.data_version {
            return Ok(());
        }
        let books = Books::read(conn)?;
        let oldest = pending::oldest(conn)?;
        self.data_version = version;
        let changed = books != self.books;
        self.books = books;
        self.shared.set_counts(books.counts_since(&self.base, oldest));
        self.leases.look_again(books.newest);
        if changed {
            self.tidy.changed();
            self.shared.wake();
        }
        Ok(())
    }

    /// Leaves a connection that failed. The next request opens another one.
    fn give_up(&mut self, fault: &Fault) {
        self.tidy.rest();
        self.fresh.forget();
        self.doubts.commit |= fault.doubtful;
        if !fault.busy {
            self.conn = None;
        }
        if !std::mem::replace(&mut self.troubled, true) {
            tracing::error!(error = %fault.to_error(), "the outbox failed");
        }
    }
}

/// A number that changes when another connection has written.
fn data_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}
