//! The deliverer's turn, and the leases of its events.
//!
//! One process delivers, under an epoch that only grows. Each write of the deliverer compares its
//! epoch, and stores a progress with a higher number. A standby begins the next epoch if it sees no
//! higher number for the lease time, by its own monotonic clock. No other clock matters for that.
//!
//! **Lost history.** A failover can lose the last commits, and so can a crash if commits do not
//! wait for the disk. Then the server assigns ids again, and the epoch may decrease. What the
//! deliverer has read but not stored is then wrong. So each of its statements also compares the
//! store's history. In another history the turn ends, and the next one starts from the row.
//!
//! **Order.** The engine admits events in the order of their leases, and a takeover must repeat
//! that order. A takeover first leases the events that an earlier turn has read, in the order of
//! their ids. Then come events found in gaps, and then events after the cursor. So if there are
//! gaps, the row stores the cursor and the gaps before the engine gets events beyond them. Without
//! gaps, the order is that of the ids anyway.

mod event;
mod gaps;
mod holder;
mod progress;
mod sql;
mod write;

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use intercom_core::{Contact, DataEvent, Timestamp};
use intercom_delivery::outbox::{
    Epoch, ErasedEvents, EventId, Leased, OutboxError, Selection, Slot, Standby, Standing, Tenure,
    Tombstone, Tombstones, Turn, UsedSlot, share_identifier,
};
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use self::gaps::Gaps;
use self::holder::Holder;
use self::progress::{Progress, Stored};
use self::sql::Sql;
use self::write::Failed;
use crate::clock::{Millis, Skew, millis, moment, until};
use crate::error::Fault;
use crate::link::{Link, Param};
use crate::schema::Schema;

pub(crate) use self::event::{COLUMNS, StoredEvent, failure, readable, storable};

/// The limit of unread events that a lease counts. Beyond it, the number of ids stands for them.
const MAX_COUNTED: i64 = 2_000;

/// The pause of a standby after another process was first to begin the turn.
const AGAIN: Duration = Duration::from_millis(20);

/// This process's knowledge of the store's turns, and its own turn.
pub(crate) struct Turns {
    link: Link,
    schema: Schema,
    sql: Sql,
    owner: String,
    settings: TurnSettings,
    pub(crate) skew: Skew,
    /// Wakes waiting calls of `lease`.
    news: Arc<Notify>,
    /// Whether this process delivers.
    delivers: Arc<AtomicBool>,
    takeovers: AtomicU64,
    state: Mutex<State>,
    /// The version of the tombstones that this process's engine last got.
    told_erasures: AtomicU64,
    /// Events of dropped calls of `lease`, with the epoch.
    unread: SyncMutex<Vec<(i64, Vec<StoredEvent>)>>,
}

#[derive(Clone, Copy)]
pub(crate) struct TurnSettings {
    pub(crate) lease_time: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) listen: bool,
}

#[derive(Default)]
struct State {
    holder: Option<Holder>,
    /// The epoch and number that a standby saw last, and since when.
    watched: Option<(i64, i64, Instant)>,
    /// An epoch whose beginning this process wrote without an answer.
    claimed: Option<i64>,
    /// The epoch and the beginning of this process's last turn that ended without a handover. If
    /// the deliverer's row still has them, the store's history has changed, and no process
    /// delivers.
    left: Option<(i64, i64)>,
    /// The highest epoch of this process's turns.
    highest: i64,
}

/// The next step of a call of `lease`.
enum Next {
    Turn(Turn),
    Leased(Unread),
    /// Waits this long, or until a notification.
    Wait(Duration),
}

/// Leased events. They are due again if the caller has dropped the call.
struct Unread {
    turns: Arc<Turns>,
    epoch: i64,
    now: Millis,
    extended: Instant,
    found: Found,
}

impl Unread {
    fn new(turns: &Arc<Turns>, holder: &Holder, found: Found) -> Self {
        let now = holder.clock.now() + turns.skew.millis();
        let (epoch, extended) = (holder.epoch, holder.extended);
        Unread { turns: turns.clone(), epoch, now, extended, found }
    }

    fn read(mut self) -> Leased {
        let events = mem::take(&mut self.found.events).into_iter();
        let now = self.now;
        let events = events.filter_map(|stored| stored.lease(now)).collect();
        Leased::new(events, self.found.pending.unsigned_abs(), self.found.earliest_new)
            .with_valid_for(self.turns.valid_for(self.extended))
            .with_tombstones(self.found.tombstones.take())
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if !self.found.events.is_empty() {
            let events = mem::take(&mut self.found.events);
            self.turns.unread().push((self.epoch, events));
            self.turns.news.notify_waiters();
        }
    }
}

/// The result of a lease.
#[derive(Default)]
struct Found {
    events: Vec<StoredEvent>,
    pending: i64,
    earliest_new: Option<Timestamp>,
    next_due: Option<Millis>,
    /// The tombstones, if the engine does not have this version.
    tombstones: Option<Arc<Tombstones>>,
}

/// Ends the turn when the engine drops the tenure. The extending task notices, or an earlier call
/// of `lease`.
struct Guard {
    _ended: oneshot::Sender<()>,
    _alive: Arc<()>,
}

impl Turns {
    pub(crate) fn new(
        link: Link,
        schema: Schema,
        owner: String,
        settings: TurnSettings,
        skew: Skew,
        news: Arc<Notify>,
        delivers: Arc<AtomicBool>,
    ) -> Self {
        let (sql, takeovers, state) = (Sql::new(&schema), AtomicU64::new(0), Mutex::default());
        let (told_erasures, unread) = (AtomicU64::new(0), SyncMutex::default());
        Turns {
            link,
            schema,
            sql,
            owner,
            settings,
            skew,
            news,
            delivers,
            takeovers,
            state,
            told_erasures,
            unread,
        }
    }

    /// A panic leaves the list valid.
    fn unread(&self) -> MutexGuard<'_, Vec<(i64, Vec<StoredEvent>)>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how often this process took over without a release.
    pub(crate) fn takeovers(&self) -> u64 {
        self.takeovers.load(Ordering::Relaxed)
    }

    pub(crate) async fn lease(
        self: &Arc<Self>,
        standing: Standing,
        limit: usize,
    ) -> Result<Turn, OutboxError> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            // Before the query, so that no later notification is missed.
            news.as_mut().enable();
            // In its own task, because a caller that is no longer polled must not keep the lock.
            let (reply, answer) = oneshot::channel();
            tokio::spawn(self.clone().answer(standing, limit, reply));
            let next = answer.await.unwrap_or_else(|_| Err(Fault::ended()));
            match next.map_err(|fault| fault.to_error())? {
                Next::Turn(turn) => return Ok(turn),
                Next::Leased(unread) => {
                    let leased = unread.read();
                    if let Some(tombstones) = &leased.tombstones {
                        self.told_erasures.store(tombstones.version(), Ordering::Relaxed);
                    }
                    return Ok(Turn::Leased(leased));
                }
                Next::Wait(time) => {
                    let _ = timeout(time.min(self.settings.poll_interval), news).await;
                }
            }
        }
    }

    async fn answer(
        self: Arc<Self>,
        standing: Standing,
        limit: usize,
        reply: oneshot::Sender<Result<Next, Fault>>,
    ) {
        let mut state = self.state.lock().await;
        if reply.is_closed() {
            return;
        }
        let next = self.next(&mut state, standing, limit).await;
        // If the caller has gone, dropping the result ends its leases.
        let _ = reply.send(next);
    }

    async fn next(
        self: &Arc<Self>,
        state: &mut State,
        standing: Standing,
        limit: usize,
    ) -> Result<Next, Fault> {
        if state.holder.as_ref().is_some_and(Holder::is_abandoned) {
            self.hand_over(state).await?;
        }
        if let Some(holder) = &mut state.holder
            && standing == Standing::Delivering(Epoch::new(holder.epoch.unsigned_abs()))
        {
            match self.deliver(holder, limit).await {
                Ok(next) => return Ok(next),
                Err(Failed::Fault(fault)) => return Err(fault),
                Err(Failed::Deposed) => self.leave(state),
            }
        }
        self.stand_by(state, standing).await
    }

    // The turn of this process.

    async fn deliver(self: &Arc<Self>, holder: &mut Holder, limit: usize) -> Result<Next, Failed> {
        // After a pause of this process, the turn may have ended.
        if self.valid_for(holder.extended).is_zero() {
            self.resolve(holder).await?;
            self.store(holder, holder.next()).await?;
        }
        let mut wait = self.settings.poll_interval;
        let mut found = match limit > 0 {
            true => self.read(holder, limit).await?,
            false => Found::default(),
        };
        wait = wait.min(
            found.next_due.map_or(wait, |due| until(holder.clock.now() + self.skew.millis(), due)),
        );
        let is_extended = holder.reported_extension != Some(holder.extended);
        if found.events.is_empty()
            && (is_extended || holder.erasures != self.told_erasures.load(Ordering::Relaxed))
        {
            let read = self.ask(holder, 0).await?;
            let (late, replay) = (holder.late.len(), holder.replay);
            found = self.found(&holder.progress, replay, &read, late).await?;
            if holder.has_returned() {
                found.earliest_new = Some(EARLIEST);
            }
        } else if found.events.is_empty() {
            return Ok(Next::Wait(wait));
        }
        if holder.erasures != self.told_erasures.load(Ordering::Relaxed) {
            // If this fails, the chosen events are due again.
            let events = mem::take(&mut found.events);
            let mut chosen = Unread::new(self, holder, Found { events, ..Found::default() });
            let tombstones = self.tombstones().await?;
            found.events = mem::take(&mut chosen.found.events);
            found.tombstones = Some(tombstones);
        }
        holder.reported_extension = Some(holder.extended);
        Ok(Next::Leased(Unread::new(self, holder, found)))
    }

    /// Reads all tombstones.
    async fn tombstones(&self) -> Result<Arc<Tombstones>, Fault> {
        let row = self.link.query_one(&self.sql.tombstones, &[]).await?;
        let (key, version): (&[u8], i64) = (row.get(0), row.get(1));
        let all: Vec<&[u8]> = row.get(2);
        let all =
            all.into_iter().filter_map(|hash| hash.try_into().ok().map(Tombstone::from_bytes));
        let key = key.try_into().unwrap_or_default();
        Ok(Arc::new(Tombstones::new(key, version.unsigned_abs(), all)))
    }

    /// Returns how long requests may begin after an extension of the turn. The last third of the
    /// lease time allows for clocks of different speed.
    fn valid_for(&self, extended: Instant) -> Duration {
        (self.settings.lease_time * 2 / 3).saturating_sub(extended.elapsed())
    }

    /// Reads more events, and leases the due ones, the longest due first.
    ///
    /// It leases at the end, without waiting. A call dropped before that has leased nothing.
    async fn read(&self, holder: &mut Holder, limit: usize) -> Result<Found, Failed> {
        loop {
            let far =
                |holder: &Holder| (holder.replay, holder.progress.cursor, holder.progress.read);
            let before = far(holder);
            let found = self.read_once(holder, limit).await?;
            // All read events may have been removed or settled.
            if !found.events.is_empty() || before == far(holder) {
                return Ok(found);
            }
        }
    }

    async fn read_once(&self, holder: &mut Holder, limit: usize) -> Result<Found, Failed> {
        self.resolve(holder).await?;
        self.take_back_unread(holder);
        if holder.has_returned() {
            // Events from dropped calls have been due longest.
            let read = self.ask(holder, 0).await?;
            let (late, replay) = (holder.late.len(), holder.replay);
            let found = self.found(&holder.progress, replay, &read, late).await?;
            let events = holder.lease_returned(limit);
            return Ok(Found { events, earliest_new: Some(EARLIEST), ..found });
        }
        // The engine leases again only after it has stored the admissions of the last lease.
        holder.retire_late();
        let mut read = self.ask(holder, limit).await?;
        let now = holder.clock.now() + self.skew.millis();
        let mut progress = holder.progress.clone();
        let mut replay = holder.replay;
        let is_all_late = read.late.len() < limit;
        // Removed events, and events after a put-back, are only counted.
        for stored in read.late.extract_if(.., |stored| !stored.is_new()) {
            progress.gaps.fill(stored.id);
            progress.read += 1;
        }
        let is_late = !read.late.is_empty();
        let number_read = read.fresh.len();
        let number_new = if is_late { read.late.len() } else { number_read };
        let has_more_fresh = number_read == limit || is_late && number_read > 0;
        let new = mem::take(if is_late { &mut read.late } else { &mut read.fresh });
        let again = if is_late { Vec::new() } else { mem::take(&mut read.again) };
        // Longer due events may come after the events of an earlier turn, and beyond the limit.
        let has_more = replay.is_some() || number_read == limit;
        let (mut chosen, new) = choose(new, again, limit, now, has_more);
        read.has_rest =
            replay.is_some() || has_more_fresh || !is_all_late || new.len() < number_new;
        let mut late = Vec::new();
        if is_late {
            new.iter().for_each(|id| progress.gaps.fill(*id));
            late.clone_from(&new);
        } else if let Some(passed) = &mut replay {
            *passed = new.last().copied().unwrap_or(*passed);
            if number_read < limit && new.len() == number_read {
                replay = None;
            }
        } else {
            if is_all_late {
                progress.gaps.drop_before(read.oldest);
            }
            for id in &new {
                progress.gaps.pass(progress.cursor, *id);
                progress.cursor = *id;
            }
            progress.read += new.len() as i64;
        }
        let is_ordered = progress.gaps.is_empty() && late.is_empty();
        if holder.replay.is_none() && !new.is_empty() && !is_ordered {
            let stored = Progress {
                cursor: progress.cursor,
                read: progress.read,
                gaps: progress.gaps.with(late.iter().copied()),
                ..holder.next()
            };
            let transaction = self.store(holder, stored).await?;
            progress.gaps.seen(transaction);
        }
        let mut found = match chosen.is_empty() {
            true => Found { next_due: read.next_due, ..Found::default() },
            false => self.found(&progress, replay, &read, late.len()).await?,
        };

        // No `await` from here on.
        holder.progress = Progress { n: holder.progress.n, ..progress };
        holder.replay = replay;
        holder.late.extend(late);
        for stored in &mut chosen {
            holder.lease(stored);
        }
        found.events = chosen;
        Ok(found)
    }

    /// Counts the pending events, and finds the earliest second of the new ones.
    async fn found(
        &self,
        progress: &Progress,
        replay: Option<i64>,
        read: &Read,
        late: usize,
    ) -> Result<Found, Failed> {
        let unread = read.allocated.saturating_sub(progress.cursor).max(0);
        let has_gaps = !progress.gaps.is_empty();
        let (visible, mut earliest_new) = match read.has_rest {
            // The deliverer has read all visible events.
            false => (0, None),
            true if unread <= MAX_COUNTED && (unread > 0 || has_gaps) => {
                self.rest(progress).await?
            }
            true => (unread, (unread > 0).then_some(EARLIEST)),
        };
        let deferred = read.earliest_deferred.map(Timestamp::from_unix_seconds);
        earliest_new = [earliest_new, deferred].into_iter().flatten().min();
        // An id of an open transaction may have any second. It need not be a gap yet: no event has a
        // higher id until another one is accepted.
        if replay.is_some() || has_gaps || visible < unread {
            earliest_new = Some(EARLIEST);
        }
        let pending = progress.pending() + read.added + visible + late as i64;
        let (events, tombstones, next_due) = (Vec::new(), None, read.next_due);
        Ok(Found { events, pending, earliest_new, next_due, tombstones })
    }

    /// Ends the leases from dropped calls. The next lease takes these events first.
    fn take_back_unread(&self, holder: &mut Holder) {
        for (epoch, events) in mem::take(&mut *self.unread()) {
            if epoch == holder.epoch {
                holder.take_back(events);
            }
        }
    }

    async fn ask(&self, holder: &mut Holder, limit: usize) -> Result<Read, Failed> {
        let (from, to) = holder.progress.gaps.bounds();
        let cursor = holder.progress.cursor;
        let (after, last) = holder.replay.map_or((cursor, i64::MAX), |passed| (passed, cursor));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let now = holder.clock.now() + self.skew.millis();
        let (leased, is_replay) = (holder.leased_again(), holder.replay.is_some());
        let params: [Param<'_>; 9] = [
            (&from, Type::INT8_ARRAY),
            (&to, Type::INT8_ARRAY),
            (&after, Type::INT8),
            (&last, Type::INT8),
            (&limit, Type::INT8),
            (&now, Type::INT8),
            (&leased, Type::INT8_ARRAY),
            (&is_replay, Type::BOOL),
            (&holder.history, Type::TEXT),
        ];
        let rows = self.link.read(&self.sql.lease, &params).await?;
        let read = Read::of(&rows).ok_or(Failed::Deposed)?;
        holder.clock.observe(read.now);
        holder.erasures = read.erasures;
        Ok(read)
    }

    /// Counts the unread events, and finds the earliest second among them.
    async fn rest(&self, progress: &Progress) -> Result<(i64, Option<Timestamp>), Failed> {
        let (from, to) = progress.gaps.bounds();
        let params: &[Param<'_>] =
            &[(&from, Type::INT8_ARRAY), (&to, Type::INT8_ARRAY), (&progress.cursor, Type::INT8)];
        let row = self.link.query_one(&self.sql.rest, params).await?;
        let earliest: Option<i64> = row.get(1);
        Ok((row.get(0), earliest.map(Timestamp::from_unix_seconds)))
    }

    // The turn of another process, and the beginning and end of this process's own.

    async fn stand_by(
        self: &Arc<Self>,
        state: &mut State,
        standing: Standing,
    ) -> Result<Next, Fault> {
        let row = self.link.query_one(&self.sql.watch, &[]).await?;
        let (epoch, owner, since): (i64, String, i64) = (row.get(0), row.get(1), row.get(2));
        let (released, n): (bool, i64) = (row.get(3), row.get(4));
        let now = Instant::now();
        let seen = match state.watched {
            Some((seen_epoch, seen_n, at)) if (seen_epoch, seen_n) == (epoch, n) => at,
            _ => now,
        };
        state.watched = Some((epoch, n, seen));
        let lease_time = self.settings.lease_time;
        let is_left = state.left == Some((epoch, since)) && owner == self.owner;
        let is_free = released || state.claimed == Some(epoch) || is_left;
        if is_free || now - seen >= lease_time {
            return match self.begin(state, epoch, n, row.get(5), is_free).await? {
                Some(tenure) => Ok(Next::Turn(Turn::Began(tenure))),
                None => Ok(Next::Wait(AGAIN)),
            };
        }
        let epoch = Epoch::new(epoch.unsigned_abs());
        if standing != Standing::Standby(epoch) {
            let standby = Standby::new(epoch, owner, moment(since));
            return Ok(Next::Turn(Turn::Standby(standby)));
        }
        Ok(Next::Wait(lease_time.saturating_sub(now - seen)))
    }

    /// Begins a turn, unless another process has begun one since.
    async fn begin(
        self: &Arc<Self>,
        state: &mut State,
        seen_epoch: i64,
        seen_n: i64,
        history: String,
        was_free: bool,
    ) -> Result<Option<Tenure>, Fault> {
        let (extended, since) = (Instant::now(), SystemTime::now());
        let began = millis(since);
        let params: [Param<'_>; 4] = [
            (&seen_epoch, Type::INT8),
            (&seen_n, Type::INT8),
            (&self.owner, Type::TEXT),
            (&began, Type::INT8),
        ];
        let rows = match self.link.query(&self.sql.begin, &params).await {
            Err(fault) if fault.is_code(&SqlState::LOCK_NOT_AVAILABLE) => {
                self.link.query(&self.sql.unlock, &[]).await?;
                return Ok(None);
            }
            began => began?,
        };
        let epoch: Option<i64> = rows.first().and_then(|row| row.get(0));
        let Some(mut epoch) = epoch else { return Ok(None) };
        state.claimed = Some(epoch);
        let mut progress = Progress::of(&self.link.query_one(&self.sql.progress, &[]).await?);
        let held = slots(self.link.read(&self.sql.held, &[]).await?);
        let used = self.link.read(&self.sql.used, &[]).await?;
        let dead = slots(self.link.read(&self.sql.dead, &[]).await?);
        let tombstones = self.tombstones().await?;
        if progress.epoch != epoch {
            return Ok(None);
        }
        self.repair(&mut progress).await?;
        if epoch <= state.highest {
            // The store has lost this process's last turn, and its leases must not count in this
            // one.
            let raised = state.highest + 1;
            let params = [epoch, began, raised];
            let params = params.each_ref().map(|number| (number as _, Type::INT8));
            if self.link.query(&self.sql.raise, &params).await?.is_empty() {
                return Ok(None);
            }
            state.claimed = Some(raised);
            (epoch, progress.epoch) = (raised, raised);
        }
        let used = used.iter().map(|row| {
            let second = Timestamp::from_unix_seconds(row.get(2));
            let slot = Slot::new(row.get::<_, i64>(1).cast_unsigned(), second);
            UsedSlot::new(slot, Timestamp::from_unix_seconds(row.get(0)))
        });
        let dead = dead.into_iter().map(|slot| UsedSlot::new(slot, UsedSlot::WHILE_DEAD));
        let used = used.chain(dead).collect();
        let (_ended, ended) = oneshot::channel();
        let _alive = Arc::new(());
        let tenure = Arc::downgrade(&_alive);
        self.told_erasures.store(tombstones.version(), Ordering::Relaxed);
        let version = tombstones.version();
        let mut holder = Holder::new(progress, began, history, extended, tenure, version);
        // If this succeeds, all reads were in one history, and no other process has begun a turn
        // since.
        let first = holder.next();
        match self.store(&mut holder, first).await {
            Ok(_) => {}
            Err(Failed::Deposed) => return Ok(None),
            Err(Failed::Fault(fault)) => return Err(fault),
        }
        state.holder = Some(holder);
        state.claimed = None;
        state.highest = epoch;
        self.takeovers.fetch_add(u64::from(!was_free), Ordering::Relaxed);
        self.delivers.store(true, Ordering::Relaxed);
        if self.settings.listen {
            // If this fails, polling finds the events.
            let _ = self.link.batch(&format!("LISTEN {}", self.schema.events_channel())).await;
        }
        tokio::spawn(self.clone().extend(epoch, ended));
        let tenure = Tenure::new(Epoch::new(epoch.unsigned_abs()), since, Guard { _ended, _alive })
            .with_durable(true)
            .with_held(held)
            .with_used(used)
            .with_tombstones(tombstones);
        Ok(Some(tenure))
    }

    /// Resets a stored cursor beyond the last assigned id. A deliverer that did not notice a
    /// failover has stored it, and later events have lower ids.
    async fn repair(&self, progress: &mut Progress) -> Result<(), Fault> {
        let given: i64 = self.link.query_one(&self.sql.given, &[]).await?.get(0);
        if given < progress.cursor {
            // All events count as unread, and are read from a single gap. So events of a
            // transaction that is still open are found too.
            progress.read -= progress.pending();
            (progress.gaps, progress.cursor, progress.low) = (Gaps::up_to(given), given, given + 1);
        }
        Ok(())
    }

    /// Extends a turn until it ends.
    async fn extend(self: Arc<Self>, epoch: i64, mut ended: oneshot::Receiver<()>) {
        let interval = self.settings.lease_time / 4;
        let mut rest = interval;
        loop {
            tokio::select! {
                _ = &mut ended => break,
                () = sleep(rest) => {}
            }
            let mut state = self.state.lock().await;
            let Some(holder) = state.holder.as_mut().filter(|holder| holder.epoch == epoch) else {
                return;
            };
            let since = holder.extended.elapsed();
            if since < interval {
                rest = interval - since;
                continue;
            }
            rest = interval;
            match self.extend_once(holder).await {
                Ok(()) => {}
                Err(Failed::Deposed) => {
                    self.leave(&mut state);
                    return;
                }
                Err(Failed::Fault(_)) => rest = interval / 6,
            }
            drop(state);
            self.news.notify_waiters();
        }
        if let Err(fault) = self.end(epoch).await {
            tracing::warn!(
                error = %fault,
                "the delivery could not be handed over; \
                 another process takes it over in some seconds"
            );
        }
    }

    async fn extend_once(&self, holder: &mut Holder) -> Result<(), Failed> {
        self.resolve(holder).await?;
        let transaction = self.store(holder, holder.next()).await?;
        holder.progress.gaps.seen(transaction);
        Ok(())
    }

    /// Ends the turn of this epoch, if it is this process's. Then another process may begin at
    /// once.
    async fn end(&self, epoch: i64) -> Result<(), Fault> {
        let mut state = self.state.lock().await;
        match state.holder.as_ref().is_some_and(|holder| holder.epoch == epoch) {
            true => self.hand_over(&mut state).await,
            false => Ok(()),
        }
    }

    async fn hand_over(&self, state: &mut State) -> Result<(), Fault> {
        let Some(mut holder) = state.holder.take() else { return Ok(()) };
        let mut released = self.hand_over_once(&mut holder).await;
        // A write without an answer has taken the number of this one.
        if released.as_ref().is_err_and(|fault| fault.is_code(&SqlState::UNIQUE_VIOLATION)) {
            released = self.hand_over_once(&mut holder).await;
        }
        self.leave(state);
        let stop = format!("UNLISTEN {}", self.schema.events_channel());
        if self.settings.listen && released.is_ok() {
            let _ = self.link.batch(&stop).await;
        }
        released
    }

    async fn hand_over_once(&self, holder: &mut Holder) -> Result<(), Fault> {
        match self.resolve(holder).await {
            Ok(()) => {}
            Err(Failed::Deposed) => return Ok(()),
            Err(Failed::Fault(fault)) => return Err(fault),
        }
        let stored = Stored::new(holder.next());
        let mut params = stored.params();
        params.push((&holder.history, Type::TEXT));
        self.link.query(&self.sql.release, &params).await.map(drop)
    }

    pub(crate) async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        let Ok(epoch) = i64::try_from(epoch.get()) else { return Ok(()) };
        self.end(epoch).await.map_err(|fault| fault.to_error())
    }

    /// Buries pending events. Returns their number.
    pub(crate) async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        let buried = match which {
            Selection::All => self.bury_ids(None).await,
            Selection::One(id) => {
                self.bury_ids(Some(vec![i64::try_from(id.get()).unwrap_or(-1)])).await
            }
            Selection::Name(_) => self.bury_named(which).await,
            // No pending event has a reason. A selection that this version does not know selects
            // none.
            _ => Ok(0),
        };
        buried.map_err(|fault| fault.to_error())
    }

    async fn bury_named(&self, which: &Selection) -> Result<u64, Fault> {
        let rows = self.link.read(&self.sql.bodies, &[]).await?;
        let is_chosen = |row: &&Row| {
            let id = EventId::new(row.get::<_, i64>(0).unsigned_abs());
            readable(id, row.get(1), None).is_some_and(|event| which.contains_pending(id, &event))
        };
        self.bury_ids(Some(rows.iter().filter(is_chosen).map(|row| row.get(0)).collect())).await
    }

    async fn bury_ids(&self, ids: Option<Vec<i64>>) -> Result<u64, Fault> {
        let mut state = self.state.lock().await;
        if let Some(holder) = &mut state.holder {
            self.take_back_unread(holder);
        }
        let leased = state.holder.as_ref().map(Holder::all_leased).unwrap_or_default();
        let skew = self.skew.millis();
        let params: [Param<'_>; 3] =
            [(&ids, Type::INT8_ARRAY), (&leased, Type::INT8_ARRAY), (&skew, Type::INT8)];
        let rows = self.link.query(&self.sql.bury, &params).await?;
        let buried: Vec<i64> = rows.first().map(|row| row.get(0)).unwrap_or_default();
        if let Some(holder) = &mut state.holder {
            holder.buried(&buried);
        }
        Ok(buried.len() as u64)
    }

    /// Erases the events and letters of a contact.
    pub(crate) async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        self.try_erase(contact).await.map_err(|fault| fault.to_error())
    }

    async fn try_erase(&self, contact: &Contact) -> Result<ErasedEvents, Fault> {
        let key = self.tombstone_key().await?;
        let rows = self.link.read(&self.sql.all_bodies, &[]).await?;
        let is_theirs = |row: &&Row| {
            // An unreadable event has no identifier.
            let event = DataEvent::from_body(row.get::<_, String>(1)).ok();
            event.is_some_and(|event| share_identifier(contact, event.contact()))
        };
        let ids: Vec<i64> = rows.iter().filter(is_theirs).map(|row| row.get(0)).collect();
        let hashes: Vec<_> =
            Tombstone::of(&key, contact).into_iter().map(Tombstone::to_bytes).collect();
        let hashes: Vec<&[u8]> = hashes.iter().map(|hash| &hash[..]).collect();
        let mut state = self.state.lock().await;
        let now = millis(SystemTime::now());
        let params: [Param<'_>; 3] =
            [(&ids, Type::INT8_ARRAY), (&hashes, Type::BYTEA_ARRAY), (&now, Type::INT8)];
        let row = self.link.query(&self.sql.erase, &params).await?;
        let row = row.first().ok_or_else(Fault::ended)?;
        let erased: Vec<i64> = row.get(0);
        if let Some(holder) = &mut state.holder {
            self.take_back_unread(holder);
            holder.buried(&erased);
        }
        drop(state);
        self.news.notify_waiters();
        let (dead_letters, version) = (row.get::<_, i64>(1), row.get::<_, i64>(2));
        let pending = erased.len() as u64;
        Ok(ErasedEvents::new(pending, dead_letters.unsigned_abs(), version.unsigned_abs()))
    }

    /// Removes the tombstones of a contact. Returns whether there was one.
    pub(crate) async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        self.try_forgive(contact).await.map_err(|fault| fault.to_error())
    }

    async fn try_forgive(&self, contact: &Contact) -> Result<bool, Fault> {
        let key = self.tombstone_key().await?;
        let hashes: Vec<_> =
            Tombstone::of(&key, contact).into_iter().map(Tombstone::to_bytes).collect();
        let hashes: Vec<&[u8]> = hashes.iter().map(|hash| &hash[..]).collect();
        let params: [Param<'_>; 1] = [(&hashes, Type::BYTEA_ARRAY)];
        let rows = self.link.query(&self.sql.forgive, &params).await?;
        self.news.notify_waiters();
        Ok(rows.first().is_some_and(|row| row.get::<_, i64>(0) > 0))
    }

    async fn tombstone_key(&self) -> Result<[u8; 16], Fault> {
        let row = self.link.query_one(&self.sql.tombstones, &[]).await?;
        Ok(row.get::<_, &[u8]>(0).try_into().unwrap_or_default())
    }

    /// Drops the turn. Another process may deliver.
    fn leave(&self, state: &mut State) {
        if let Some(holder) = state.holder.take() {
            state.left = Some((holder.epoch, holder.since));
        }
        self.delivers.store(false, Ordering::Relaxed);
        self.news.notify_waiters();
    }
}

/// A second before all seconds of events.
const EARLIEST: Timestamp = Timestamp::from_unix_seconds(i64::MIN);

/// The result of a lease's read.
struct Read {
    /// All transactions before this one have ended.
    oldest: i64,
    next_due: Option<Millis>,
    now: Millis,
    /// The last assigned id.
    allocated: i64,
    /// The number of events that operators added since the takeover, less the removed ones.
    added: i64,
    /// The version of the tombstones.
    erasures: u64,
    /// The earliest second of the deferred and redriven events.
    earliest_deferred: Option<i64>,
    /// Whether there may be further events.
    has_rest: bool,
    /// Events in gaps.
    late: Vec<StoredEvent>,
    /// Events after the cursor.
    fresh: Vec<StoredEvent>,
    /// Events after a put-back.
    again: Vec<StoredEvent>,
}

impl Read {
    /// Returns `None` without a first row.
    fn of(rows: &[Row]) -> Option<Self> {
        rows.iter().find(|row| row.get::<_, i32>(0) == 0)?;
        let [mut late, mut fresh, mut again] = [const { Vec::new() }; 3];
        let mut read = Read {
            oldest: 0,
            next_due: None,
            now: 0,
            allocated: 0,
            added: 0,
            erasures: 0,
            earliest_deferred: None,
            has_rest: true,
            late: Vec::new(),
            fresh: Vec::new(),
            again: Vec::new(),
        };
        for row in rows {
            match row.get::<_, i32>(0) {
                1 => late.push(StoredEvent::of(row, 1)),
                2 => fresh.push(StoredEvent::of(row, 1)),
                3 => again.push(StoredEvent::of(row, 1)),
                _ => {
                    read.oldest = row.get(1);
                    read.next_due = row.get(2);
                    read.now = row.get(3);
                    read.allocated = row.get(5);
                    let number = |column| {
                        let text: Option<&str> = row.get(column);
                        text.and_then(|text| text.parse::<i64>().ok())
                    };
                    read.added = number(6).unwrap_or_default();
                    read.erasures = number(8).unwrap_or_default().unsigned_abs();
                    read.earliest_deferred = number(9);
                }
            }
        }
        Some(Read { late, fresh, again, ..read })
    }
}

/// Chooses the longest due events: new ones in the order of their ids, others in the order of their
/// due times. Also returns the ids of the passed new ones. `ends_with_new` excludes events due
/// after the last new one.
fn choose(
    new: Vec<StoredEvent>,
    again: Vec<StoredEvent>,
    limit: usize,
    now: Millis,
    ends_with_new: bool,
) -> (Vec<StoredEvent>, Vec<i64>) {
    let (mut new, mut again) = (new.into_iter().peekable(), again.into_iter().peekable());
    let (mut chosen, mut ids) = (Vec::new(), Vec::new());
    while chosen.len() < limit {
        // The event is passed: it was put back or removed, and is not new.
        while let Some(stored) = new.next_if(|stored| !stored.is_new()) {
            ids.push(stored.id);
        }
        let is_again = match (new.peek(), again.peek()) {
            (Some(new), Some(again)) => again.order(now) < new.order(now),
            (None, Some(_)) if !ends_with_new => true,
            (Some(_), None) => false,
            (None, _) => break,
        };
        let next = if is_again { again.next() } else { new.next() };
        if let Some(stored) = next {
            if !is_again {
                ids.push(stored.id);
            }
            chosen.push(stored);
        }
    }
    (chosen, ids)
}

/// Returns the slots of bodies. An unreadable body has none.
fn slots(rows: Vec<Row>) -> Vec<Slot> {
    let bodies = rows.iter().map(|row| row.get::<_, String>(0));
    bodies
        .filter_map(|body| DataEvent::from_body(body).ok())
        .map(|event| Slot::of(&event))
        .collect()
}
