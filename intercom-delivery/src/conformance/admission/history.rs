//! One history: an engine that crashes, an outbox, and Intercom.

mod ruled;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_rules::Rules;
use tokio::time::timeout;

use self::ruled::Ruled;
use super::{HistorySummary, LeftOut, Step};
use crate::conformance::LEASE_TIMEOUT;
use crate::engine::admission::{SlotAllocator, WINDOW_SECONDS};
use crate::engine::review::Review;
use crate::outbox::{
    DeadLetterReason, EventId, Lease, Leased, Operate, Outbox, Ruling, Selection, Slot, Stage,
    Standing, Tenure, Turn, UsedSlot, Verdict,
};
use crate::policy::Collisions;

/// When a history begins.
const START: i64 = 1_750_000_000;

const STEPS: usize = 150;

/// Events are backdated by less than the window: what is older than that may meet an event that is
/// forgotten.
const BACKDATED: [i64; 6] = [0, 0, 0, 1, 3, 90];

pub(super) struct AdmissionHistory<O, C, A> {
    pub(super) tally: HistorySummary,
    random: Rng,
    left_out: LeftOut,
    outbox: Option<O>,
    crash: C,
    advance: A,
    now: i64,
    engine: Option<AdmittingEngine>,
    /// Whether the engine begins nothing new.
    paused: bool,
    /// Whether nothing crashes any more.
    is_calm: bool,
    accepted: u64,
    ruled: Ruled,
    /// The number of each event that was leased at some time, in the order of acceptance.
    numbers: HashMap<EventId, u64>,
    /// The pending ones of them, and when each is due. `None` while it is leased.
    due: HashMap<EventId, Option<i64>>,
    dead: HashSet<EventId>,
    /// Those dead letters that an attempt may have reached, in an order that repeats.
    arrived: BTreeMap<EventId, DataEvent>,
    /// Requests of an engine that is gone, which may arrive yet.
    ghosts: Vec<(EventId, DataEvent)>,
    /// Events that may have arrived.
    perhaps: HashSet<EventId>,
    /// Events that moved, some of them again after a redrive.
    moved: HashSet<EventId>,
    /// Events that are counted as collided.
    collided: HashSet<EventId>,
    /// What Intercom has.
    taken: HashMap<Slot, EventId>,
    /// What was sent at the first attempt.
    sent: HashMap<EventId, Bytes>,
}

/// What is lost in a crash.
struct AdmittingEngine {
    tenure: Tenure,
    review: Review,
    admission: SlotAllocator,
    forget_before: Timestamp,
    ready: Vec<Lease>,
    in_flight: Vec<Lease>,
}

impl<O, C, A> AdmissionHistory<O, C, A>
where
    O: Outbox + Operate,
    C: AsyncFnMut(O) -> O,
    A: AsyncFnMut(Duration),
{
    pub(super) fn new(
        random: Rng,
        policy: Collisions,
        left_out: LeftOut,
        rules: Rules,
        (outbox, crash, advance): (O, C, A),
    ) -> Self {
        AdmissionHistory {
            tally: HistorySummary {
                policy,
                violations: Vec::new(),
                delivered: 0,
                moved: 0,
                moves: 0,
                ruled: 0,
                log: Vec::new(),
            },
            random,
            left_out,
            outbox: Some(outbox),
            crash,
            advance,
            now: START,
            engine: None,
            paused: false,
            is_calm: false,
            accepted: 0,
            ruled: Ruled::new(rules),
            numbers: HashMap::new(),
            due: HashMap::new(),
            dead: HashSet::new(),
            arrived: BTreeMap::new(),
            ghosts: Vec::new(),
            perhaps: HashSet::new(),
            moved: HashSet::new(),
            collided: HashSet::new(),
            taken: HashMap::new(),
            sent: HashMap::new(),
        }
    }

    pub(super) async fn run(&mut self) {
        for _ in 0..STEPS {
            match self.random.u8(..100) {
                0..24 => self.accept().await,
                24..38 => self.pass().await,
                38..56 => {
                    let limit = self.random.usize(1..5);
                    self.lease(limit).await;
                }
                56..76 => self.begin_attempt().await,
                76..93 => self.end_attempt().await,
                93 | 94 => self.redrive().await,
                95 => self.paused = !self.paused,
                96 => self.arrive_late(),
                97 => self.release().await,
                _ => self.crash().await,
            }
        }
        // At the end each event is sent.
        self.paused = false;
        self.is_calm = true;
        self.redrive().await;
        for _ in 0..10_000 {
            if self.due.is_empty() && self.dead.is_empty() && self.unseen() == 0 {
                break;
            }
            self.pass_seconds(200).await;
            self.lease(100).await;
            while self.engine.as_ref().is_some_and(|engine| !engine.ready.is_empty()) {
                self.begin_attempt().await;
            }
            while self.engine.as_ref().is_some_and(|engine| !engine.in_flight.is_empty()) {
                self.end_attempt().await;
            }
            self.redrive().await;
        }
        let counts = self.outbox().counts().await.expect("the outbox works");
        assert_eq!(
            (counts.accepted, counts.pending),
            (self.accepted, 0),
            "at the end, the outbox must have accepted each event once, and none may be pending"
        );
        assert!(counts.is_balanced(), "each event must count in one place: {counts:?}");
        let Ruled { derived, dropped, .. } = self.ruled;
        if self.left_out == LeftOut::Nothing {
            assert_eq!(
                (counts.derived, counts.dropped),
                (derived, dropped),
                "the outbox must count each event that rules derived or dropped, and no other"
            );
        }
        let violations = self.ruled.violations();
        self.tally.violations.extend(violations);
        let tally = &mut self.tally;
        tally.ruled = derived + dropped;
        tally.moved = self.moved.len() as u64;
        assert_eq!(
            (counts.delivered, counts.moved),
            (tally.delivered, tally.moves),
            "the outbox must count each event that was delivered or moved, and no other"
        );
        assert_eq!(
            counts.collided >= 1,
            !self.collided.is_empty(),
            "the outbox must count events that keep a taken second as collided, and no others"
        );
    }

    async fn accept(&mut self) {
        let mut events = Vec::new();
        for _ in 0..self.random.usize(1..4) {
            let number = self.accepted;
            let second = self.now - BACKDATED[self.random.usize(..BACKDATED.len())];
            let event = DynamicEvent::new("project_created").and_then(|e| e.with("number", number));
            let kind = self.ruled.kind(number, &mut self.random);
            let event = event.and_then(|event| match kind {
                Some(kind) => event.with("kind", kind),
                None => Ok(event),
            });
            let contact = Contact::user_id(self.random.u8(..3));
            let second = Timestamp::from_unix_seconds(second);
            // A rule makes other names, which may have been there long ago.
            let place = if kind.is_none() { self.place_of_a_letter() } else { None };
            let (contact, second) = place.unwrap_or((contact, second));
            let event = event.and_then(|event| DataEvent::new(&event, contact, second));
            let event = event.expect("the event is valid");
            let (slot, now) = (Slot::of(&event), self.now);
            self.tally.log.push(Step::Accepted { event: number, slot, now });
            self.accepted += 1;
            events.push(event);
        }
        self.outbox().accept(&events).await.expect("there is room");
    }

    /// Sometimes chooses the contact and second of a dead letter, however old it is.
    fn place_of_a_letter(&mut self) -> Option<(Contact, Timestamp)> {
        let chosen = self.random.usize(..20 * self.arrived.len().max(1));
        let event = self.arrived.values().nth(chosen)?;
        Some((event.contact().clone(), event.created_at()))
    }

    async fn pass(&mut self) {
        // The window is over after a long while.
        let is_long = self.random.u8(..30) == 0;
        let seconds = self.random.i64(1..12) + if is_long { WINDOW_SECONDS } else { 0 };
        self.pass_seconds(seconds).await;
    }

    async fn pass_seconds(&mut self, seconds: i64) {
        (self.advance)(Duration::from_secs(seconds.unsigned_abs())).await;
        self.now += seconds;
    }

    /// Leases and admits what is due. Begins a turn first, where there is none.
    async fn lease(&mut self, limit: usize) {
        if self.engine.is_none() {
            self.begin().await;
        }
        let is_due = |due: &Option<i64>| due.is_some_and(|due| due <= self.now);
        if self.paused || (self.unseen() == 0 && !self.due.values().any(is_due)) {
            return;
        }
        let Some(engine) = &self.engine else { return };
        let standing = Standing::Delivering(engine.tenure.epoch);
        let Leased { mut events, earliest_new, .. } = loop {
            match self.turn(standing, limit).await {
                Turn::Leased(leased) if leased.events.is_empty() => {}
                Turn::Leased(leased) => break leased,
                turn => panic!("{}", other_turn(&turn)),
            }
        };
        for lease in &events {
            self.ruled.see(lease);
            let number = self.numbers.len() as u64;
            self.numbers.entry(lease.id).or_insert(number);
            self.due.insert(lease.id, None);
            // Intercom does not have it, so it may get another second.
            if lease.stage == Stage::Redriven {
                self.sent.remove(&lease.id);
            }
        }
        if self.left_out != LeftOut::Order && !self.admit(&mut events).await {
            return;
        }
        let (now, left_out) = (self.timestamp(), self.left_out);
        let Some(engine) = &mut self.engine else { return };
        engine.ready.extend(events);
        let earliest_new = earliest_new.filter(|_| left_out != LeftOut::EarliestNew);
        engine.forget_before = engine.admission.forget(now, earliest_new);
    }

    async fn begin(&mut self) {
        let mut tenure = match self.turn(Standing::Unknown, 1).await {
            Turn::Began(tenure) => tenure,
            turn => panic!("{}", other_turn(&turn)),
        };
        let is_dead = |used: &UsedSlot| used.keep_until == UsedSlot::WHILE_DEAD;
        match self.left_out {
            LeftOut::HeldSlots => tenure.held.clear(),
            LeftOut::UsedSlots => tenure.used.retain(is_dead),
            LeftOut::DeadSlots => tenure.used.retain(|used| !is_dead(used)),
            _ => {}
        }
        let mut admission = SlotAllocator::new(self.tally.policy);
        admission.begin(&tenure);
        let review = Review::new(self.ruled.rules.clone(), None);
        let forget_before = Timestamp::from_unix_seconds(0);
        let (ready, in_flight) = (Vec::new(), Vec::new());
        self.engine =
            Some(AdmittingEngine { tenure, review, admission, forget_before, ready, in_flight });
    }

    async fn turn(&self, standing: Standing, limit: usize) -> Turn {
        let turn = timeout(LEASE_TIMEOUT, self.outbox().lease(standing, limit)).await;
        let turn = turn.expect("an event is due or the turn is free, and `lease` must return that");
        turn.expect("the outbox works")
    }

    /// Admits events and stores it. What is dropped is taken out of them. Returns whether the engine lives still.
    async fn admit(&mut self, events: &mut Vec<Lease>) -> bool {
        let now = self.timestamp();
        let Some(engine) = &mut self.engine else { return false };
        let mut admissions = Vec::new();
        events.retain_mut(|lease| {
            let reviewed = engine.review.review(lease);
            let (slot, admission) = engine.admission.admit_reviewed(lease, reviewed, now);
            admissions.extend(admission);
            slot.is_some()
        });
        if self.left_out == LeftOut::StoredMoves {
            admissions.retain(|one| !matches!(one.ruling, Ruling::Replace { .. }));
        }
        let epoch = engine.tenure.epoch;
        let mut later = Vec::new();
        if self.left_out == LeftOut::StoredDerived {
            later.extend(admissions.iter_mut().flat_map(|one| mem::take(&mut one.derived)));
        }
        if !self.is_calm && self.random.u8(..12) == 0 {
            self.crash().await;
            return false;
        }
        let late = self.outbox().admit(epoch, &admissions).await.expect("the outbox works");
        assert_eq!(late, [], "the engine admitted events that it has leased, so none may be late");
        for admission in &admissions {
            self.ruled.derived += admission.derived.len() as u64;
            match admission.ruling {
                Ruling::Replace { moved: true, .. } => {
                    self.tally.moves += 1;
                    self.moved.insert(admission.id);
                }
                Ruling::Keep { collides: true } | Ruling::Replace { collides: true, .. } => {
                    self.collided.insert(admission.id);
                }
                Ruling::Drop => {
                    self.ruled.dropped += 1;
                    self.due.remove(&admission.id);
                }
                _ => {}
            }
        }
        if !self.is_calm && self.random.u8(..12) == 0 {
            self.crash().await;
            return false;
        }
        if !later.is_empty() {
            self.accepted += later.len() as u64;
            self.outbox().accept(&later).await.expect("there is room");
        }
        true
    }

    async fn begin_attempt(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        if engine.ready.is_empty() {
            return;
        }
        let mut lease = engine.ready.swap_remove(self.random.usize(..engine.ready.len()));
        if self.left_out == LeftOut::Order {
            let mut leases = vec![lease];
            if !self.admit(&mut leases).await {
                return;
            }
            let Some(admitted) = leases.pop() else { return };
            lease = admitted;
        }
        let body = lease.event.body();
        let first = self.sent.entry(lease.id).or_insert_with(|| body.clone());
        if first != body {
            let violation = format!(
                "the engine sent the event {} as {first:?} before, and sends it as {body:?} now; all \
                 attempts of an event must send the same bytes",
                lease.id
            );
            self.tally.violations.push(violation);
        }
        self.ruled.send(&lease);
        if let Some(engine) = &mut self.engine {
            engine.in_flight.push(lease);
        }
    }

    async fn end_attempt(&mut self) {
        let now = self.timestamp();
        let random = self.random.u8(..20);
        let Some(engine) = &mut self.engine else { return };
        if engine.in_flight.is_empty() {
            return;
        }
        let lease = engine.in_flight.swap_remove(self.random.usize(..engine.in_flight.len()));
        let (id, event, attempts) = (lease.id, &lease.event, lease.attempts + 1);
        let is_known = !self.perhaps.contains(&id);
        let (arrives, verdict) = match random {
            0..12 => {
                (true, Verdict::Delivered { used: engine.admission.leave(Slot::of(event), now) })
            }
            // Intercom refuses what it has not.
            12..14 if is_known => {
                let used = engine.admission.bury(Slot::of(event), false, now);
                let reason = DeadLetterReason::Rejected;
                (false, Verdict::Bury { reason, attempts, failure: None, used })
            }
            14 => {
                let used = engine.admission.bury(Slot::of(event), true, now);
                let reason = DeadLetterReason::AttemptLimit;
                (true, Verdict::Bury { reason, attempts, failure: None, used })
            }
            _ => {
                let after = Duration::from_secs(self.random.u64(..150));
                (self.random.bool(), Verdict::PutBack { after, attempts, failure: None })
            }
        };
        let (epoch, forget_before) = (engine.tenure.epoch, engine.forget_before);
        if arrives {
            self.arrive(id, &lease.event);
        }
        self.due.remove(&id);
        match &verdict {
            Verdict::Delivered { .. } => {
                self.tally.delivered += 1;
                let (event, now) = (self.numbers[&id], self.now);
                self.tally.log.push(Step::Delivered { event, now });
            }
            Verdict::PutBack { after, .. } => {
                self.perhaps.insert(id);
                self.due.insert(id, Some(self.now + after.as_secs() as i64));
            }
            Verdict::Bury { used, .. } => {
                self.dead.insert(id);
                let is_plain = event.event_name() == "project_created";
                self.arrived.extend(used.filter(|_| is_plain).map(|_| (id, event.clone())));
            }
        }
        let settlement = [lease.settle(verdict)];
        let late = self.outbox().settle(epoch, &settlement, forget_before).await;
        let late = late.expect("the outbox works");
        assert_eq!(
            late,
            [],
            "the engine settled an event that it has leased, so it may not be late"
        );
    }

    /// An event comes to Intercom, which ignores it if it has another one in its slot.
    fn arrive(&mut self, id: EventId, event: &DataEvent) {
        self.perhaps.insert(id);
        let first = *self.taken.entry(Slot::of(event)).or_insert(id);
        if first != id && !self.collided.contains(&id) && !self.collided.contains(&first) {
            self.tally.violations.push(format!(
                "Intercom ignores the event {id}, because it has the event {first} of the same contact, \
                 name and second; the engine must move one of two such events"
            ));
        }
    }

    /// A request of an engine that is gone arrives.
    fn arrive_late(&mut self) {
        if !self.ghosts.is_empty() {
            let (id, event) = self.ghosts.swap_remove(self.random.usize(..self.ghosts.len()));
            self.arrive(id, &event);
        }
    }

    async fn redrive(&mut self) {
        let dead: Vec<_> = self.dead.drain().collect();
        self.arrived.clear();
        let redriven = self.outbox().redrive(&Selection::All).await.expect("the outbox works");
        assert_eq!(
            redriven,
            dead.len() as u64,
            "a redrive of all must return the number of letters"
        );
        self.due.extend(dead.into_iter().map(|id| (id, Some(self.now))));
    }

    async fn release(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        self.outbox().release(engine.tenure.epoch).await.expect("the outbox works");
        self.lose(engine);
    }

    async fn crash(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.lose(engine);
        }
        if let Some(outbox) = self.outbox.take() {
            self.outbox = Some((self.crash)(outbox).await);
        }
    }

    /// What was in flight may have arrived, or may arrive later, and nobody knows.
    fn lose(&mut self, engine: AdmittingEngine) {
        for lease in engine.in_flight {
            self.perhaps.insert(lease.id);
            match self.random.u8(..3) {
                0 => self.arrive(lease.id, &lease.event),
                1 => self.ghosts.push((lease.id, lease.event)),
                _ => {}
            }
        }
        for due in self.due.values_mut() {
            due.get_or_insert(START);
        }
    }

    fn unseen(&self) -> u64 {
        self.accepted + self.ruled.derived - self.numbers.len() as u64
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.now)
    }

    fn outbox(&self) -> &O {
        self.outbox.as_ref().expect("it is open, but for within a crash")
    }
}

fn other_turn(turn: &Turn) -> String {
    format!("only one engine runs, so `lease` must give it the turn and due events, not {turn:?}")
}
