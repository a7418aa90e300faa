//! The deliverer's writes, and how it resolves a write without an answer.
//!
//! Each write stores the progress with the next number, so of two writes with one number only one
//! can commit. The process identifies a write without an answer by its random token. Later, the row
//! with that number shows which write has committed, if any.

use std::collections::HashSet;

use intercom_core::Timestamp;
use intercom_delivery::outbox::{
    Admission, Epoch, EventId, Failure, OutboxError, Ruling, Settlement, UsedSlot, Verdict,
};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::holder::{Deed, Doubt, Holder};
use super::progress::{Progress, Stored};
use super::{Turns, storable};
use crate::accept::sensitive;
use crate::clock::millis_of;
use crate::error::Fault;
use crate::link::{Param, Sql};

/// Why a write failed, or has no answer.
pub(super) enum Failed {
    /// Another epoch has begun, or the store may have lost events that this turn has read. The
    /// write changed nothing.
    Deposed,
    Fault(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Failed::Fault(fault)
    }
}

/// A write whose answer comes later.
struct Write<'a> {
    sql: &'a dyn Sql,
    stored: Stored,
    /// The parameters after those of the progress.
    params: &'a [Param<'a>],
    deed: Deed,
    ids: Vec<i64>,
    ended: Vec<i64>,
}

impl Turns {
    /// Stores the progress, which extends the turn. Returns a transaction that began after all
    /// earlier reads.
    pub(super) async fn store(
        &self,
        holder: &mut Holder,
        progress: Progress,
    ) -> Result<i64, Failed> {
        let write = Write {
            sql: &self.sql.store,
            stored: Stored::new(progress),
            params: &[],
            deed: Deed::Nothing,
            ids: Vec::new(),
            ended: Vec::new(),
        };
        Ok(self.write(holder, write).await?.get(0))
    }

    async fn write(&self, holder: &mut Holder, write: Write<'_>) -> Result<Row, Failed> {
        let extended = Instant::now();
        let Write { sql, stored, params, deed, ids, ended } = write;
        let Progress { n, token, .. } = *stored.progress();
        // Holds also if the caller drops this future before the answer.
        holder.doubts.push(Doubt { token, deed, ids, ended });
        let mut all = stored.params();
        all.extend(params.iter().cloned());
        let history = holder.history.clone();
        all.push((&history, Type::TEXT));
        let fault = match self.link.query(sql, &all).await {
            Ok(rows) => {
                let Some(row) = rows.into_iter().next() else {
                    holder.doubts.clear();
                    return Err(Failed::Deposed);
                };
                // No other write with this number can commit any more.
                holder.doubts.clear();
                holder.progress.n = n;
                holder.extended = extended;
                return Ok(row);
            }
            Err(fault) => fault,
        };
        let was_done_before = fault.is_code(&SqlState::UNIQUE_VIOLATION);
        if !matches!(fault, Fault::Lost(_)) && !was_done_before {
            holder.doubts.pop();
        }
        Err(fault.into())
    }

    /// Finds out which of the writes in doubt has committed.
    pub(super) async fn resolve(&self, holder: &mut Holder) -> Result<(), Failed> {
        if holder.doubts.is_empty() {
            return Ok(());
        }
        let present = Progress::of(&self.link.query_one(&self.sql.progress, &[]).await?);
        if present.epoch != holder.epoch {
            return Err(Failed::Deposed);
        }
        if present.n > holder.progress.n {
            let doubts = std::mem::take(&mut holder.doubts);
            if let Some(done) = doubts.into_iter().find(|doubt| doubt.token == present.token) {
                for id in &done.ended {
                    holder.settled(*id);
                }
                holder.done.extend(done.ids.into_iter().map(|id| (done.deed, id)));
            }
            // The counts come from the row, but this process knows its own read position better.
            let Progress { cursor, gaps, low, read, .. } = holder.progress.clone();
            holder.progress = Progress { cursor, gaps, low, read, ..present };
        }
        Ok(())
    }

    /// Stores admissions.
    pub(crate) async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        let all = || admissions.iter().map(|admission| admission.id).collect();
        let mut state = self.state.lock().await;
        let Some(holder) = state.holder.as_mut().filter(|holder| holder.is(epoch)) else {
            return Ok(all());
        };
        match self.try_admit(holder, admissions).await {
            Ok(late) => Ok(late),
            Err(Failed::Fault(fault)) => Err(fault.to_error()),
            Err(Failed::Deposed) => {
                self.leave(&mut state);
                Ok(all())
            }
        }
    }

    async fn try_admit(
        &self,
        holder: &mut Holder,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, Failed> {
        self.resolve(holder).await?;
        self.take_back_unread(holder);
        let mut late = Vec::new();
        let mut batch = Rulings::default();
        for admission in admissions {
            let id = i64::try_from(admission.id.get()).ok();
            if id.is_some_and(|id| holder.done.remove(&(Deed::Admit, id))) {
                continue;
            }
            match holder.leased(admission.id).filter(|id| !batch.ids.contains(id)) {
                Some(id) => batch.add(id, admission)?,
                None => late.push(admission.id),
            }
        }
        if batch.ids.is_empty() {
            return Ok(late);
        }
        let mut progress = holder.next();
        let deleted = batch.ids.iter().zip(&batch.kinds).filter(|(_, kind)| **kind >= WITHHOLD);
        let left: Vec<_> =
            deleted.map(|(id, _)| *id).filter(|id| holder.late.contains(id)).collect();
        left.iter().for_each(|id| progress.gaps.fill(*id));
        progress.read += left.len() as i64;
        let ends = batch.ids.iter().zip(&batch.kinds).filter(|(_, kind)| **kind >= DEFER);
        let ended: Vec<_> = ends.map(|(id, _)| *id).collect();
        let write = Write {
            sql: &self.sql.admit,
            stored: Stored::new(progress),
            params: &[
                (&batch.ids, Type::INT8_ARRAY),
                (&batch.kinds, Type::INT2_ARRAY),
                (&batch.moved, Type::BOOL_ARRAY),
                (&batch.collided, Type::BOOL_ARRAY),
                (&batch.seconds, Type::INT8_ARRAY),
                (&batch.bodies, Type::TEXT_ARRAY),
                (&batch.sensitive, Type::TEXT_ARRAY),
                (&batch.delays, Type::INT8_ARRAY),
                (&batch.causes, Type::INT8_ARRAY),
                (&batch.derived_seconds, Type::INT8_ARRAY),
                (&batch.derived_bodies, Type::TEXT_ARRAY),
                (&batch.derived_sensitive, Type::TEXT_ARRAY),
                (&self.skew.millis(), Type::INT8),
            ],
            deed: Deed::Admit,
            ids: batch.ids.clone(),
            ended: ended.clone(),
        };
        let row = self.write(holder, write).await?;
        holder.progress.gaps.seen(row.get(0));
        holder.progress.derived = row.get(1);
        holder.progress.withheld = row.get(2);
        holder.progress.dropped = row.get(3);
        holder.progress.moved = row.get(4);
        holder.progress.collided = row.get(5);
        let present: HashSet<i64> = row.get::<_, Vec<i64>>(6).into_iter().collect();
        ended.iter().for_each(|id| holder.settled(*id));
        for id in batch.ids.iter().filter(|id| !present.contains(id)) {
            holder.end(*id);
            late.push(EventId::new(id.unsigned_abs()));
        }
        if !ended.is_empty() || !batch.causes.is_empty() {
            self.news.notify_waiters();
        }
        Ok(late)
    }

    /// Settles leased events.
    pub(crate) async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let all = || settlements.iter().map(|settlement| settlement.id).collect();
        let mut state = self.state.lock().await;
        let Some(holder) = state.holder.as_mut().filter(|holder| holder.is(epoch)) else {
            return Ok(all());
        };
        match self.try_settle(holder, settlements, forget_before).await {
            Ok(late) => Ok(late),
            Err(Failed::Fault(fault)) => Err(fault.to_error()),
            Err(Failed::Deposed) => {
                self.leave(&mut state);
                Ok(all())
            }
        }
    }

    async fn try_settle(
        &self,
        holder: &mut Holder,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, Failed> {
        self.resolve(holder).await?;
        self.take_back_unread(holder);
        let forget_before = forget_before.unix_seconds();
        let mut late = Vec::new();
        let mut batch = Batch::default();
        for settlement in settlements {
            let id = i64::try_from(settlement.id.get()).ok();
            if id.is_some_and(|id| holder.done.remove(&(Deed::Settle, id))) {
                continue;
            }
            match holder.leased(settlement.id).filter(|id| !batch.all.contains(id)) {
                Some(id) => batch.add(id, &settlement.verdict),
                None => late.push(settlement.id),
            }
        }
        if batch.all.is_empty() && forget_before <= holder.forgotten {
            return Ok(late);
        }
        // This write would delete the slot, so it needs no row.
        batch.slots.retain(|(_, slot)| slot.keep_until.unix_seconds() >= forget_before);
        let mut progress = holder.next();
        // An event that was found in a gap counts as read now.
        let left =
            |id: &i64| batch.gone.contains(id) || batch.dead.iter().any(|dead| dead.id == *id);
        let left: Vec<_> = holder.late.iter().copied().filter(left).collect();
        left.iter().for_each(|id| progress.gaps.fill(*id));
        progress.read += left.len() as i64;
        let present = self.write_batch(holder, progress, &batch, forget_before).await?;
        holder.forgotten = holder.forgotten.max(forget_before);
        for id in &batch.all {
            holder.settled(*id);
            if !present.contains(id) {
                late.push(EventId::new(id.unsigned_abs()));
            }
        }
        if !batch.back.is_empty() {
            self.news.notify_waiters();
        }
        Ok(late)
    }

    /// Writes a batch. Returns the events that the table had.
    async fn write_batch(
        &self,
        holder: &mut Holder,
        progress: Progress,
        batch: &Batch,
        forget_before: i64,
    ) -> Result<HashSet<i64>, Failed> {
        let Batch { gone, dead, back, slots, .. } = batch;
        let ids = |ends: &[End]| ends.iter().map(|end| end.id).collect::<Vec<_>>();
        let attempts = |ends: &[End]| ends.iter().map(|end| end.attempts).collect::<Vec<_>>();
        let (dead_ids, back_ids) = (ids(dead), ids(back));
        let (dead_attempts, back_attempts) = (attempts(dead), attempts(back));
        let (dead_failures, back_failures) = (Failures::of(dead), Failures::of(back));
        let reasons: Vec<_> = dead.iter().map(|end| end.reason).collect();
        let arrived: Vec<_> = dead.iter().map(|end| end.arrived).collect();
        let delays: Vec<_> = back.iter().map(|end| end.delay).collect();
        let slot = |of: fn(&UsedSlot) -> i64| slots.iter().map(|(_, slot)| of(slot)).collect();
        let slot_ids: Vec<_> = slots.iter().map(|(id, _)| *id).collect();
        let kept: Vec<i64> = slot(|used| used.keep_until.unix_seconds());
        let keys: Vec<i64> = slot(|used| used.slot.key.cast_signed());
        let seconds: Vec<i64> = slot(|used| used.slot.second.unix_seconds());
        let write = Write {
            sql: &self.sql.settle,
            stored: Stored::new(progress),
            params: &[
                (gone, Type::INT8_ARRAY),
                (&dead_ids, Type::INT8_ARRAY),
                (&reasons, Type::TEXT_ARRAY),
                (&dead_attempts, Type::INT8_ARRAY),
                (&dead_failures.messages, Type::TEXT_ARRAY),
                (&dead_failures.statuses, Type::INT4_ARRAY),
                (&dead_failures.request_ids, Type::TEXT_ARRAY),
                (&arrived, Type::BOOL_ARRAY),
                (&back_ids, Type::INT8_ARRAY),
                (&delays, Type::INT8_ARRAY),
                (&back_attempts, Type::INT8_ARRAY),
                (&back_failures.messages, Type::TEXT_ARRAY),
                (&back_failures.statuses, Type::INT4_ARRAY),
                (&back_failures.request_ids, Type::TEXT_ARRAY),
                (&self.skew.millis(), Type::INT8),
                (&slot_ids, Type::INT8_ARRAY),
                (&kept, Type::INT8_ARRAY),
                (&keys, Type::INT8_ARRAY),
                (&seconds, Type::INT8_ARRAY),
                (&holder.forgotten.clone(), Type::INT8),
                (&forget_before, Type::INT8),
            ],
            deed: Deed::Settle,
            ids: batch.all.iter().copied().collect(),
            ended: batch.all.iter().copied().collect(),
        };
        let row = self.write(holder, write).await?;
        holder.progress.delivered = row.get(0);
        holder.progress.buried = row.get(1);
        holder.progress.gaps.seen(row.get(2));
        let present: Vec<i64> = row.get(3);
        // A slot that expires earlier than others is stored with the next ones.
        if let Some(first) = kept.into_iter().min() {
            holder.forgotten = holder.forgotten.min(first);
        }
        Ok(present.into_iter().collect())
    }
}

impl Holder {
    fn is(&self, epoch: Epoch) -> bool {
        i64::try_from(epoch.get()) == Ok(self.epoch)
    }

    /// Ends the lease of an event once the table has its settlement.
    fn settled(&mut self, id: i64) {
        self.end(id);
        if self.late.remove(&id) {
            self.progress.read += 1;
        }
    }
}

/// The kinds of rulings that end a lease, as numbers of the statement.
const DEFER: i16 = 2;
const WITHHOLD: i16 = 3;
const DROP: i16 = 4;

/// Admissions, column by column.
#[derive(Default)]
struct Rulings {
    ids: Vec<i64>,
    kinds: Vec<i16>,
    moved: Vec<bool>,
    collided: Vec<bool>,
    seconds: Vec<Option<i64>>,
    bodies: Vec<Option<String>>,
    /// The names of sensitive keys, as a JSON array.
    sensitive: Vec<Option<String>>,
    delays: Vec<i64>,
    causes: Vec<i64>,
    derived_seconds: Vec<i64>,
    derived_bodies: Vec<String>,
    derived_sensitive: Vec<Option<String>>,
}

impl Rulings {
    fn add(&mut self, id: i64, admission: &Admission) -> Result<(), Fault> {
        let (mut moves, mut collision, mut delay) = (false, false, 0);
        let (mut second, mut body, mut keys) = (None, None, None);
        let kind = match &admission.ruling {
            Ruling::Keep { collides } => {
                collision = *collides;
                0
            }
            Ruling::Replace { event, moved, collides } => {
                (moves, collision) = (*moved, *collides);
                second = Some(event.created_at().unix_seconds());
                body = Some(text(event.body())?);
                keys = sensitive(event);
                1
            }
            Ruling::Defer { after } => {
                delay = millis_of(*after);
                DEFER
            }
            Ruling::Withhold => WITHHOLD,
            Ruling::Drop => DROP,
        };
        for event in &admission.derived {
            self.causes.push(id);
            self.derived_seconds.push(event.created_at().unix_seconds());
            self.derived_bodies.push(text(event.body())?);
            self.derived_sensitive.push(sensitive(event));
        }
        self.ids.push(id);
        self.kinds.push(kind);
        self.moved.push(moves);
        self.collided.push(collision);
        self.seconds.push(second);
        self.bodies.push(body);
        self.sensitive.push(keys);
        self.delays.push(delay);
        Ok(())
    }
}

/// Settlements, by verdict.
#[derive(Default)]
struct Batch {
    all: HashSet<i64>,
    gone: Vec<i64>,
    dead: Vec<End>,
    back: Vec<End>,
    slots: Vec<(i64, UsedSlot)>,
}

/// The end of a lease that leaves a row behind.
struct End {
    id: i64,
    attempts: i64,
    failure: Option<Failure>,
    reason: &'static str,
    arrived: bool,
    delay: i64,
}

impl End {
    fn new(id: i64, attempts: u32, failure: Option<&Failure>) -> Self {
        let attempts = i64::from(attempts);
        End { id, attempts, failure: failure.cloned(), reason: "", arrived: false, delay: 0 }
    }
}

impl Batch {
    fn add(&mut self, id: i64, verdict: &Verdict) {
        self.all.insert(id);
        match verdict {
            Verdict::Delivered { used } => {
                self.gone.push(id);
                self.slots.push((id, *used));
            }
            Verdict::PutBack { after, attempts, failure } => {
                let delay = millis_of(*after);
                self.back.push(End { delay, ..End::new(id, *attempts, failure.as_ref()) });
            }
            Verdict::Bury { reason, attempts, failure, used } => {
                let (reason, arrived) = (reason.as_str(), used.is_some());
                let end = End::new(id, *attempts, failure.as_ref());
                self.dead.push(End { reason, arrived, ..end });
                self.slots.extend(used.map(|used| (id, used)));
            }
        }
    }
}

/// Failures, column by column.
struct Failures {
    messages: Vec<Option<String>>,
    statuses: Vec<Option<i32>>,
    request_ids: Vec<Option<String>>,
}

impl Failures {
    fn of(ends: &[End]) -> Self {
        let all = || ends.iter().map(|end| end.failure.as_ref());
        let messages = all().map(|failure| failure.map(|failure| storable(&failure.message)));
        let statuses = all().map(|failure| failure.and_then(|failure| failure.status));
        let request_ids = all()
            .map(|failure| failure.and_then(|failure| failure.request_id.as_deref()).map(storable));
        Failures {
            messages: messages.collect(),
            statuses: statuses.map(|status| status.map(i32::from)).collect(),
            request_ids: request_ids.collect(),
        }
    }
}

/// Returns a body as text. Every event's body is text.
fn text(body: &[u8]) -> Result<String, Fault> {
    let text = str::from_utf8(body).map_err(|_| Fault::Refused {
        code: "22021".to_owned(),
        message: "the body of an event is not UTF-8".to_owned(),
    })?;
    Ok(text.to_owned())
}
