//! The writing thread. It owns the connection that writes, and batches the writes.
//!
//! Writes that queue up during one commit share the next. There is no timer: a lone write commits
//! at once.

mod batch;
mod database;
mod leases;
pub(crate) mod maintenance;
mod request;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use intercom_core::Timestamp;
use intercom_delivery::outbox::MAX_WAIT;
use intercom_delivery::outbox::{OutboxError, Standing, Tenure, Tombstones};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use self::batch::Effects;
use self::leases::Leases;
use self::maintenance::Maintenance;
use self::request::{Found, Write};
use crate::clock::{Clock, FAR, Millis, later, moment, until};
use crate::error::Fault;
use crate::open::RESTORED;
use crate::open::lock::{self, Lock, LockEnd};
use crate::shared::Shared;
use crate::store::counts::{self, CountsRow};
use crate::store::{erased, pending, slots};

pub(crate) use self::batch::Batch;
pub(crate) use self::database::Database;
pub(crate) use self::request::{Job, Next, Request};

/// The most requests that share a transaction.
const BATCH: usize = 4096;

/// The interval of purges of old dead letters.
const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// The state of the writing thread.
pub(crate) struct Writer {
    database: Database,
    clock: Clock,
    shared: Arc<Shared>,
    poll_interval: Duration,
    /// The row of counts at its last read or write.
    counts: CountsRow,
    /// The leases of the epoch under which this outbox's engine delivers.
    leases: Option<Leases>,
    maintenance: Maintenance,
    /// The time of the next purge of old dead letters.
    purge_at: Millis,
}

impl Writer {
    pub(crate) fn new(
        database: Database,
        clock: Clock,
        shared: Arc<Shared>,
        poll_interval: Duration,
    ) -> Self {
        Writer {
            database,
            clock,
            shared,
            poll_interval: poll_interval.min(FAR),
            counts: CountsRow::default(),
            leases: None,
            maintenance: Maintenance::Shrink,
            purge_at: Millis::MIN,
        }
    }

    /// Starts the thread. Dropping the last handle ends it.
    pub(crate) fn start(
        mut self,
        mut requests: mpsc::Receiver<Request>,
    ) -> io::Result<(JoinHandle<()>, Handle)> {
        // The runtime waits for a request or a time, whichever comes first.
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let handle = runtime.handle().clone();
        let run = move || {
            runtime.block_on(async {
                let mut batch = Vec::new();
                let mut idle_at = Instant::now() + self.poll_interval;
                loop {
                    match timeout_at(idle_at, requests.recv_many(&mut batch, BATCH)).await {
                        Ok(0) => break,
                        // Only a write postpones idle maintenance.
                        Ok(_) => match self.serve(&mut batch) {
                            true => idle_at = Instant::now() + self.poll_interval,
                            false => continue,
                        },
                        Err(_) => {
                            let has_more = self.idle();
                            let rest = if has_more { Duration::ZERO } else { self.poll_interval };
                            idle_at = Instant::now() + rest;
                        }
                    }
                }
            });
            self.database.close();
        };
        let thread = thread::Builder::new().name("intercom-sqlite".to_owned()).spawn(run)?;
        Ok((thread, handle))
    }

    /// Serves requests, and answers once they are durable. Returns whether there was a write.
    fn serve(&mut self, batch: &mut Vec<Request>) -> bool {
        let now = self.clock.now();
        let mut writes = Vec::with_capacity(batch.len());
        for request in batch.drain(..) {
            match request {
                Request::Write(write) => writes.push(write),
                Request::Lease { standing, limit, reply } => {
                    self.answer_lease(standing, limit, now, reply);
                }
                Request::Poll => {
                    if let Err(fault) = self.poll() {
                        self.database.failed(&fault);
                    }
                }
                #[cfg(feature = "test-util")]
                Request::Maintain { reply } => {
                    while self.idle() {}
                    let _ = reply.send(());
                }
            }
        }
        if writes.is_empty() {
            return false;
        }
        let mut fault = self.write(&mut writes, now).err();
        if let Some(full) = &fault
            && full.kind.is_full()
        {
            // Retries only the writes that store deliveries, once recovery has made room.
            self.database.failed(full);
            let (refused, others) = writes.into_iter().partition(|write| write.takes_room());
            Vec::into_iter(refused).for_each(|write| write.answer(Some(full)));
            writes = others;
            fault = if writes.is_empty() { None } else { self.write(&mut writes, now).err() };
        }
        if let Some(fault) = &fault {
            self.database.failed(fault);
        }
        writes.into_iter().for_each(|write| write.answer(fault.as_ref()));
        if fault.is_none() {
            self.database.shorten_wal(self.leases.is_some());
        }
        true
    }

    /// Runs all writes in one transaction. A failure leaves nothing written.
    fn write(&mut self, writes: &mut [Box<dyn Write>], now: Millis) -> Result<(), Fault> {
        if let Some(leases) = &mut self.leases {
            take_back_unread(&self.shared, leases);
        }
        let is_file_there = self.database.is_there();
        let purge = self.leases.is_some() && self.purge_at <= now;
        let (transaction, reserve) = self.database.transaction()?;
        let before = CountsRow::read(&transaction)?;
        let leases = self.leases.as_ref();
        let mut effects = Effects::default();
        effects.buried = purge;
        let counts = before;
        let conn = &transaction;
        let mut batch = Batch { conn, counts, leases, now, is_file_there, effects };
        for write in &mut *writes {
            write.perform(&mut batch)?;
        }
        batch.finish(&before)?;
        let Batch { counts, effects, .. } = batch;
        if effects.took_room {
            reserve.hold(&transaction)?;
        }
        transaction.commit()?;
        self.database.worked(effects.took_room);
        if !is_file_there {
            // No start would find the WAL.
            self.database.bring_in();
        }
        self.shared.count_commit();
        if purge {
            self.purge_at = later(now, PURGE_INTERVAL);
        }
        if counts != before || !writes.is_empty() {
            self.maintenance = Maintenance::Shrink;
        }
        if before != self.counts {
            self.notice(before);
        }
        self.counts = counts;
        if effects.erased {
            self.database.overwrite_deleted();
        }
        let news = effects.news;
        effects.apply(&mut self.leases, now);
        if let Some(leases) = &mut self.leases {
            leases.note(&counts, now);
        }
        if news {
            self.shared.news.notify_waiters();
        }
        Ok(())
    }

    /// Runs when the queue is empty: recovers, checks for others' writes, and runs a maintenance
    /// step. Returns whether the next step follows at once.
    fn idle(&mut self) -> bool {
        if !self.database.recover() {
            return false;
        }
        let now = self.clock.now();
        if !self.database.is_there() {
            self.database.bring_in();
        }
        let purged = match self.leases.is_some() && self.purge_at <= now {
            true => self.write(&mut [], now),
            false => Ok(()),
        };
        let done = purged.and_then(|()| self.poll()).and_then(|()| self.maintain());
        done.unwrap_or_else(|fault| {
            self.database.failed(&fault);
            false
        })
    }

    /// Runs a maintenance step if this process delivers, or no process does.
    fn maintain(&mut self) -> Result<bool, Fault> {
        let _lock = match self.leases.is_some() || self.maintenance == Maintenance::Nothing {
            true => None,
            false => match Lock::try_take(self.database.path())? {
                None => return Ok(false),
                taken => taken,
            },
        };
        self.maintenance.step(&mut self.database)
    }

    /// Checks for others' writes to the file.
    fn poll(&mut self) -> Result<(), Fault> {
        if let Some(counts) = self.database.changes()? {
            self.notice(counts);
        }
        Ok(())
    }

    /// Processes others' writes to the file.
    fn notice(&mut self, counts: CountsRow) {
        // Under another epoch, this engine was deposed.
        self.leases.take_if(|leases| leases.epoch() != counts.epoch());
        if let Some(leases) = &mut self.leases {
            leases.others_wrote();
            if counts.redriven != self.counts.redriven {
                // Another process's clock may be behind.
                leases.put_back(Millis::MIN);
            }
        }
        if counts != self.counts {
            self.counts = counts;
            self.maintenance = Maintenance::Shrink;
            self.shared.news.notify_waiters();
        }
    }

    fn answer_lease(
        &mut self,
        standing: Standing,
        limit: usize,
        now: Millis,
        reply: oneshot::Sender<Result<Next, OutboxError>>,
    ) {
        // A turn must not begin for a caller that has gone: a standby of another process would see it.
        if reply.is_closed() {
            return;
        }
        let next = self.lease(standing, limit, now);
        if let Err(fault) = &next {
            self.database.failed(fault);
        }
        // If the caller has gone, dropping the reply returns its leases.
        let _ = reply.send(next.map_err(|fault| fault.to_error()));
    }

    fn lease(&mut self, standing: Standing, limit: usize, now: Millis) -> Result<Next, Fault> {
        let is_closed = self.leases.is_none() && self.database.is_left_closed();
        if !is_closed {
            self.poll()?;
        }
        let epoch = self.counts.epoch();
        if let Some(leases) = &mut self.leases
            && standing == Standing::Delivering(leases.epoch())
        {
            take_back_unread(&self.shared, leases);
            let conn = self.database.conn()?;
            let (events, next_due) = leases.lease(conn, limit, now)?;
            // The events may include one accepted after an erasure that the last check missed.
            if !events.is_empty() {
                self.poll()?;
            }
            let tombstones = self.tombstones_to_tell()?;
            if events.is_empty() && tombstones.is_none() {
                // With a limit of 0, events due now do not count.
                let next_due = next_due.filter(|_| limit > 0);
                return Ok(Next::Wait(next_due.map_or(FAR, |due| until(now, due))));
            }
            let found = Found {
                events,
                epoch,
                pending: self.counts.pending(),
                earliest_new: self.counts.earliest_new.map(Timestamp::from_unix_seconds),
                tombstones,
                now,
                shared: self.shared.clone(),
            };
            return Ok(Next::Leased(found));
        }
        if let Some(lock) = Lock::try_take(self.database.path())? {
            return self.begin(lock, now).map(Next::Began);
        }
        let is_known = is_closed || standing == Standing::Standby(epoch);
        let deliverer = match is_known {
            true => None,
            false => counts::deliverer(self.database.conn()?)?,
        };
        Ok(deliverer.map_or(Next::Wait(lock::RETRY), Next::Standby))
    }

    /// Returns the tombstones, if they have changed since the engine got them.
    fn tombstones_to_tell(&mut self) -> Result<Option<Arc<Tombstones>>, Fault> {
        let Some(leases) = &mut self.leases else { return Ok(None) };
        if self.shared.take_untold() {
            leases.reported_erasures = -1;
        }
        if leases.reported_erasures == self.counts.erasures {
            return Ok(None);
        }
        let tombstones = erased::tombstones(self.database.conn()?)?;
        leases.reported_erasures = self.counts.erasures;
        Ok(Some(Arc::new(tombstones)))
    }

    /// Begins the tenure of an engine that has the lock.
    fn begin(&mut self, mut lock: Lock, now: Millis) -> Result<Tenure, Fault> {
        let noted = lock.generation();
        let (transaction, _) = self.database.transaction()?;
        let found = CountsRow::read(&transaction)?.generation();
        let epoch = counts::begin_epoch(&transaction, noted.unwrap_or(found), now)?;
        pending::bound_due(&transaction, later(now, MAX_WAIT))?;
        let counts = CountsRow::read(&transaction)?;
        transaction.commit()?;
        self.database.worked(false);
        if noted.is_some_and(|noted| found.is_before(noted)) {
            tracing::error!(outbox = %self.database.path().display(), "{RESTORED}");
        }
        self.maintenance = Maintenance::Shrink;
        self.counts = counts;
        let (held, guard) = LockEnd::pair(lock);
        self.leases.insert(Leases::new(epoch, counts.erasures, held)).note(&counts, now);
        // Only the engine that delivers changes what this reads.
        let conn = self.database.conn()?;
        Ok(Tenure::new(epoch, moment(now), guard)
            .with_durable(true)
            .with_held(slots::held(conn)?)
            .with_used(slots::used(conn)?)
            .with_tombstones(Arc::new(erased::tombstones(conn)?)))
    }
}

/// Ends the leases of events that no caller has seen.
fn take_back_unread(shared: &Shared, leases: &mut Leases) {
    for (epoch, id) in shared.take_unread() {
        if epoch == leases.epoch() {
            leases.take_back(id);
        }
    }
}
