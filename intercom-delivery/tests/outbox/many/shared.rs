//! A store in memory that several "processes" share as they share a database. It assigns ids before
//! the commit. A row names the process that delivers, which renews it.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use intercom_core::{DataEvent, Timestamp, async_trait};
use intercom_delivery::conformance::many::{Fleet, Process, Transaction};
use intercom_delivery::conformance::{Forward, Forwarding};
use intercom_delivery::outbox::{
    AcceptError, Admission, Counts, DeadLetter, Epoch, EventId, Lease, Leased, MemoryOutbox,
    Operate, Outbox, OutboxError, Selection, Settlement, Stage, Standby, Standing, Tenure, Turn,
};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{Instant, sleep};

use super::faulty::Fault;

/// The interval at which the owner renews its row.
const RENEWAL: Duration = Duration::from_secs(2);

/// The time without a renewal after which the row is free.
const LEASE: Duration = Duration::from_secs(6);

/// How long requests may begin after a renewal.
const VALID: Duration = Duration::from_secs(5);

pub(crate) struct SharedFleet {
    store: Arc<Store>,
    started: usize,
}

impl SharedFleet {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        let store = Store {
            memory: MemoryOutbox::new(),
            fault,
            state: Mutex::default(),
            changed: Notify::new(),
        };
        SharedFleet { store: Arc::new(store), started: 0 }
    }
}

impl Fleet for SharedFleet {
    type Process = Member;

    async fn start(&mut self) -> Member {
        self.started += 1;
        Member(Forwarding(Handle {
            store: self.store.clone(),
            number: self.started,
            stopped: Arc::default(),
            counted: Mutex::default(),
        }))
    }

    async fn advance(&mut self, by: Duration) {
        sleep(by).await;
    }
}

/// One "process".
pub(crate) struct Member(Forwarding<Handle>);

impl Member {
    pub(crate) fn into_outbox(self) -> Forwarding<Handle> {
        self.0
    }
}

impl Process for Member {
    type Outbox = Forwarding<Handle>;
    type Transaction = Open;

    fn outbox(&self) -> &Forwarding<Handle> {
        &self.0
    }

    async fn begin(&self, events: Vec<DataEvent>) -> Open {
        let Handle { store, number, .. } = &self.0.0;
        let ids = store.take_ids(events.len(), *number);
        if store.is(Fault::ShowsOpenTransactions) {
            store.insert(&events, &ids);
        }
        store.state().open += 1;
        Open { store: store.clone(), events, ids }
    }

    async fn pause(&mut self) {
        self.0.0.stopped.store(true, Ordering::SeqCst);
    }

    async fn resume(&mut self) {
        self.0.0.stopped.store(false, Ordering::SeqCst);
    }

    async fn kill(self, tenure: Option<Tenure>) {
        let Handle { store, .. } = &self.0.0;
        // A lock ends with its process, and a row stays.
        if let Some(tenure) = &tenure
            && store.is(Fault::KeepsTheLockWhileStopped)
        {
            store.end(tenure.epoch);
        }
    }
}

/// A transaction that already has its ids.
pub(crate) struct Open {
    store: Arc<Store>,
    events: Vec<DataEvent>,
    ids: Vec<u64>,
}

impl Transaction for Open {
    async fn commit(self) {
        let Open { store, events, ids } = &self;
        if store.is(Fault::ShowsOpenTransactions) {
            return;
        }
        let read_to = store.state().read_to;
        store.insert(events, ids);
        if store.is(Fault::ReadsWithoutGaps) {
            let missed = ids.iter().filter(|id| **id < read_to);
            store.state().hidden.extend(missed);
        }
    }

    async fn roll_back(self) {}
}

impl Drop for Open {
    fn drop(&mut self) {
        self.store.state().open -= 1;
    }
}

/// The state that all processes share.
struct Store {
    memory: MemoryOutbox,
    fault: Option<Fault>,
    state: Mutex<State>,
    /// Notified of changes of the row.
    changed: Notify,
}

#[derive(Default)]
struct State {
    row: Option<Row>,
    next_id: u64,
    /// The ids of events by their number in memory, which is the order of the commits.
    ids: Vec<u64>,
    numbers: BTreeMap<u64, u64>,
    /// When the store accepted the event with each id.
    accepted: BTreeMap<u64, Instant>,
    /// How many transactions are open that have accepted events.
    open: usize,
    /// Each id below this one was leased, or was missing when the reader passed it.
    read_to: u64,
    /// Events that are never leased.
    hidden: BTreeSet<u64>,
    /// The leased events, and the events to lease next by a reader that has lost its cursor.
    leased: BTreeSet<u64>,
    again: Option<VecDeque<Lease>>,
}

/// The turn.
#[derive(Clone)]
struct Row {
    standby: Standby,
    owner: usize,
    renewals: u64,
    renewed: Instant,
    /// Keeps the turn of the memory until another one begins.
    _guard: Arc<dyn Any + Send + Sync>,
}

impl Store {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn take_ids(&self, events: usize, of: usize) -> Vec<u64> {
        let mut state = self.state();
        let first = state.next_id;
        state.next_id += events as u64;
        let repeated = |id| if self.is(Fault::RepeatsIds) { (id - first) + of as u64 } else { id };
        let ids: Vec<_> = (first..state.next_id).map(repeated).collect();
        state.accepted.extend(ids.iter().map(|id| (*id, Instant::now())));
        ids
    }

    fn insert(&self, events: &[DataEvent], ids: &[u64]) {
        self.memory.accept(events).now_or_never().unwrap().unwrap();
        let mut state = self.state();
        for id in ids {
            let number = state.ids.len() as u64;
            state.ids.push(*id);
            state.numbers.insert(*id, number);
        }
    }

    fn id(&self, number: EventId) -> EventId {
        EventId::new(self.state().ids[number.get() as usize])
    }

    fn number(&self, id: EventId) -> EventId {
        EventId::new(self.state().numbers.get(&id.get()).copied().unwrap_or(u64::MAX))
    }

    /// Ends the turn with this epoch.
    fn end(&self, epoch: Epoch) {
        let mut state = self.state();
        if state.row.as_ref().is_some_and(|row| row.standby.epoch == epoch) {
            state.row = None;
            drop(state);
            self.memory.release(epoch).now_or_never().unwrap().unwrap();
            self.changed.notify_waiters();
        }
    }

    fn renew(&self, epoch: Epoch) -> bool {
        let mut state = self.state();
        let Some(row) = state.row.as_mut().filter(|row| row.standby.epoch == epoch) else {
            return false;
        };
        row.renewals += 1;
        row.renewed = Instant::now();
        drop(state);
        self.changed.notify_waiters();
        true
    }
}

/// The handle of one process.
pub(crate) struct Handle {
    store: Arc<Store>,
    number: usize,
    stopped: Arc<AtomicBool>,
    counted: Mutex<(Counts, u32)>,
}

/// Ends the renewals.
struct Renewals(AbortHandle);

impl Drop for Renewals {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Handle {
    async fn begin(&self) -> Result<Turn, OutboxError> {
        let store = self.store.clone();
        let Turn::Began(tenure) = store.memory.lease(Standing::Unknown, 0).await? else {
            panic!("the row is free, and the memory is not");
        };
        let Tenure { epoch, since, mut held, mut used, tombstones, guard, .. } = tenure;
        match store.fault {
            Some(Fault::ForgetsHeldSlots) => held.clear(),
            Some(Fault::ForgetsUsedSlots) => used.clear(),
            _ => {}
        }
        let standby = Standby::new(epoch, format!("process {}", self.number), since);
        let row = Row {
            standby,
            owner: self.number,
            renewals: 0,
            renewed: Instant::now(),
            _guard: Arc::from(guard),
        };
        {
            let mut state = store.state();
            state.row = Some(row);
            state.again = None;
            let leased = std::mem::take(&mut state.leased);
            if store.is(Fault::KeepsLeases) {
                state.hidden.extend(leased);
            }
        }
        if store.is(Fault::ForgetsTheCursor) {
            self.read_anew(epoch).await?;
        }
        let stopped = self.stopped.clone();
        let renewing = store.clone();
        let renewals = tokio::spawn(async move {
            loop {
                sleep(RENEWAL).await;
                if !stopped.load(Ordering::SeqCst) && !renewing.renew(epoch) {
                    break;
                }
            }
        });
        let tenure = Tenure::new(epoch, since, Renewals(renewals.abort_handle()))
            .with_durable(true)
            .with_held(held)
            .with_used(used)
            .with_tombstones(tombstones);
        Ok(Turn::Began(tenure))
    }

    /// Leases all new events from the memory, and sorts them by id.
    async fn read_anew(&self, epoch: Epoch) -> Result<(), OutboxError> {
        let lease = self.store.memory.lease(Standing::Delivering(epoch), usize::MAX);
        let Some(turn) = lease.now_or_never() else { return Ok(()) };
        if let Turn::Leased(leased) = turn? {
            let mut events = leased.events;
            events.sort_by_key(|lease| self.store.id(lease.id));
            self.store.state().again = Some(events.into());
        }
        Ok(())
    }

    /// Leases under the present epoch.
    async fn lease_events(&self, row: &Row, limit: usize) -> Result<Turn, OutboxError> {
        let epoch = row.standby.epoch;
        let has_open = self.store.state().open > 0;
        let again = self.store.state().again.as_mut().map(|again| {
            let number = limit.min(again.len());
            again.drain(..number).collect::<Vec<_>>()
        });
        let mut leased = match again {
            Some(events) if !events.is_empty() => Leased::new(events, 0, None),
            _ => match self.store.memory.lease(Standing::Delivering(epoch), limit).await? {
                Turn::Leased(leased) => leased,
                turn => return Ok(turn),
            },
        };
        for lease in &mut leased.events {
            lease.id = self.store.id(lease.id);
        }
        if self.store.is(Fault::ForgetsTombstones) {
            leased.tombstones = None;
        }
        // The second of an event that no lease shows yet may be any.
        if has_open && !self.store.is(Fault::ForgetsOpenTransactions) {
            leased.earliest_new = Some(Timestamp::from_unix_seconds(i64::MIN));
        }
        let mut state = self.store.state();
        leased.events.retain(|lease| !state.hidden.contains(&lease.id.get()));
        for lease in leased.events.iter_mut().filter(|lease| lease.stage == Stage::New) {
            // The memory knows the commit alone.
            lease.age = state.accepted[&lease.id.get()].elapsed();
        }
        let last = leased.events.iter().map(|lease| lease.id.get() + 1).max();
        state.read_to = state.read_to.max(last.unwrap_or(0));
        state.leased.extend(leased.events.iter().map(|lease| lease.id.get()));
        drop(state);
        leased.valid_for = match self.store.fault {
            Some(Fault::PromisesTooLong) => Some(VALID + RENEWAL + LEASE),
            Some(Fault::PromisesForEver) => None,
            _ => Some(VALID.saturating_sub(row.renewed.elapsed())),
        };
        Ok(Turn::Leased(leased))
    }

    /// Returns what this process knows from the row.
    fn present(&self, standing: Standing) -> Present {
        let Some(row) = self.store.state().row.clone() else { return Present::Free };
        let epoch = row.standby.epoch;
        let is_mine = standing == Standing::Delivering(epoch) && row.owner == self.number;
        let keeps_on = self.store.is(Fault::LeasesToTheDeposed);
        if is_mine || (keeps_on && matches!(standing, Standing::Delivering(_))) {
            Present::Mine(row)
        } else if standing == Standing::Standby(epoch) {
            Present::Known(row)
        } else {
            Present::News(row.standby)
        }
    }

    /// Waits until the row is renewed, or until it is free without a renewal.
    async fn watch(&self, row: &Row) {
        let epoch = row.standby.epoch;
        let (changed, patience) = match self.store.fault {
            Some(Fault::NeverTakesOver | Fault::KeepsTheLockWhileStopped) => {
                return self.store.changed.notified().await;
            }
            Some(Fault::DeposesWhoRuns) => (false, Duration::ZERO),
            _ => (true, LEASE),
        };
        tokio::select! {
            () = self.store.changed.notified(), if changed => {}
            () = sleep(patience) => {
                let present = self.store.state().row.clone();
                if present.is_some_and(|now| now.renewals == row.renewals) {
                    self.store.end(epoch);
                }
            }
        }
    }
}

enum Present {
    Free,
    Mine(Row),
    News(Standby),
    /// Another process's turn, and the caller knows it.
    Known(Row),
}

#[async_trait]
impl Forward for Handle {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.store.memory
    }

    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        // The round trip takes time, in which the test can kill the process.
        yield_now().await;
        let ids = self.store.take_ids(events.len(), self.number);
        if self.store.is(Fault::AcceptsOneByOne) {
            for (event, id) in events.iter().zip(ids) {
                self.store.insert(std::slice::from_ref(event), &[id]);
                yield_now().await;
            }
        } else {
            self.store.insert(events, &ids);
        }
        yield_now().await;
        Ok(())
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        loop {
            let changed = self.store.changed.notified();
            match self.present(standing) {
                Present::Free => return self.begin().await,
                Present::Mine(row) => {
                    tokio::select! {
                        biased;
                        turn = self.lease_events(&row, limit) => {
                            match turn? {
                                Turn::Leased(leased) if leased.events.is_empty() => {}
                                turn => return Ok(turn),
                            }
                        }
                        () = changed => {}
                        // Before the next renewal, which begins the wait anew.
                        () = sleep(RENEWAL / 2) => {
                            let valid = VALID.saturating_sub(row.renewed.elapsed());
                            let forgets = self.store.is(Fault::ForgetsOpenTransactions);
                            let earliest = Timestamp::from_unix_seconds(i64::MIN);
                            let leased =
                                Leased::new(Vec::new(), 0, (!forgets).then_some(earliest));
                            return Ok(Turn::Leased(leased.with_valid_for(valid)));
                        }
                    }
                }
                Present::News(standby) if self.store.is(Fault::LetsTwoDeliver) => {
                    let Standby { epoch, since, .. } = standby;
                    let tenure = Tenure::new(epoch, since, ()).with_durable(true);
                    return Ok(Turn::Began(tenure));
                }
                Present::News(standby) => return Ok(Turn::Standby(standby)),
                Present::Known(row) => self.watch(&row).await,
            }
        }
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        let inner = |admission: &Admission| {
            let mut inner = admission.clone();
            inner.id = self.store.number(admission.id);
            inner
        };
        let numbers: Vec<_> = admissions.iter().map(inner).collect();
        let epoch = self.epoch(epoch, Fault::AdmitsUnderAnyEpoch);
        let late = self.store.memory.admit(epoch, &numbers).await?;
        let ids = admissions.iter().map(|admission| admission.id);
        let is_late = |number: &Admission| late.contains(&number.id);
        Ok(ids.zip(&numbers).filter(|(_, number)| is_late(number)).map(|(id, _)| id).collect())
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let inner = |settlement: &Settlement| {
            let verdict = settlement.verdict.clone();
            Settlement::new(self.store.number(settlement.id), verdict)
        };
        let numbers: Vec<_> = settlements.iter().map(inner).collect();
        let epoch = self.epoch(epoch, Fault::SettlesUnderAnyEpoch);
        let mut late = self.store.memory.settle(epoch, &numbers, forget_before).await?;
        if self.store.is(Fault::SettlesTheBuried) && self.delivers() {
            for id in std::mem::take(&mut late) {
                self.store.memory.purge(&Selection::One(id)).await?;
            }
        }
        let mut state = self.store.state();
        let pairs = settlements.iter().map(|settlement| settlement.id).zip(&numbers);
        let (late, settled): (Vec<_>, Vec<_>) =
            pairs.partition(|(_, number)| late.contains(&number.id));
        settled.iter().for_each(|(id, _)| {
            state.leased.remove(&id.get());
        });
        Ok(late.into_iter().map(|(id, _)| id).collect())
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        if !self.store.is(Fault::IgnoresReleases) {
            self.store.end(self.epoch(epoch, Fault::ReleasesAnyEpoch));
        }
        Ok(())
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        let mut counts = self.store.memory.counts().await?;
        counts.oldest_own = None;
        counts.newest = self.store.state().ids.iter().max().copied().map(EventId::new);
        match self.store.fault {
            Some(Fault::CountsByThreeQueries) => {
                yield_now().await;
                let second = self.store.memory.counts().await?;
                (counts.delivered, counts.dead) = (second.delivered, second.dead);
                yield_now().await;
                counts.pending = self.store.memory.counts().await?.pending;
                Ok(counts)
            }
            Some(Fault::CountsOnceInAWhile) => {
                let mut counted = self.counted.lock().unwrap();
                if counted.1.is_multiple_of(4) {
                    counted.0 = counts;
                }
                counted.1 += 1;
                Ok(counted.0)
            }
            _ => Ok(counts),
        }
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let mut letters = self.store.memory.dead_letters(None, usize::MAX).await?;
        for letter in &mut letters {
            letter.id = self.store.id(letter.id);
        }
        letters.sort_by_key(|letter| letter.id);
        Ok(letters.into_iter().filter(|letter| Some(letter.id) > after).take(limit).collect())
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        if self.store.is(Fault::BuriesForItself) && !self.delivers() {
            return Ok(0);
        }
        self.store.memory.bury(&self.inner_selection(which)).await
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        if self.store.is(Fault::RedrivesForItself) && !self.delivers() {
            let dead = self.store.memory.dead_letters(None, usize::MAX).await?;
            let ids: Vec<_> = dead.iter().map(|letter| self.store.id(letter.id).get()).collect();
            self.store.state().hidden.extend(ids);
        }
        self.store.memory.redrive(&self.inner_selection(which)).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        let which = self.inner_selection(which);
        if self.store.is(Fault::PurgesWhatItHasRead) {
            let letters = self.store.memory.dead_letters(None, usize::MAX).await?;
            let read = letters.iter().filter(|letter| which.contains(letter)).count() as u64;
            yield_now().await;
            self.store.memory.purge(&which).await?;
            return Ok(read);
        }
        self.store.memory.purge(&which).await
    }
}

impl Handle {
    fn delivers(&self) -> bool {
        self.store.state().row.as_ref().is_some_and(|row| row.owner == self.number)
    }

    /// Returns the present epoch if this fault accepts any epoch.
    fn epoch(&self, epoch: Epoch, fault: Fault) -> Epoch {
        let present = self.store.state().row.as_ref().map(|row| row.standby.epoch);
        if self.store.is(fault) { present.unwrap_or(epoch) } else { epoch }
    }

    fn inner_selection(&self, which: &Selection) -> Selection {
        match which {
            Selection::One(id) => Selection::One(self.store.number(*id)),
            which => which.clone(),
        }
    }
}
