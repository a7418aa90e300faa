//! Outboxes that each break one promise. The suite must notice each of them.

use std::collections::{HashMap, HashSet};
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use intercom_core::{Contact, DataEvent, Timestamp, async_trait};
use intercom_delivery::conformance::{Forward, Forwarding, Profile, run};
use intercom_delivery::outbox::{
    AcceptError, Admission, Counts, DeadLetter, DeadLetterReason, Epoch, ErasedEvents, EventId,
    Leased, MemoryOutbox, Operate, Outbox, OutboxError, Ruling, Selection, Settlement, Stage,
    Standing, Tenure, Turn, Verdict,
};
use tokio::task::yield_now;
use tokio::time::Instant;

const CAPACITY: usize = 12;

/// Each fault, with words from its report.
macro_rules! faults {
    ($($fault:ident: $($words:literal)|+,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Fault {
            $($fault,)*
        }

        const FAULTS: &[(Fault, &[&str])] = &[$((Fault::$fault, &[$($words),+]),)*];
    };
}

faults! {
    AcceptsAPart: "`accepted`",
    AcceptsTooMuch: "there is room for",
    RefusesTheLast: "not accepted",
    LeasesTooMany: "asked for",
    LeasesForALimitOfZero: "asked for",
    LeasesOneTwice: "twice at once",
    LeasesTheLastFirst: "longer due",
    AnswersWithoutEvents: "no events instead of waiting",
    ForgetsToWake: "waits instead of returning Events",
    LosesCancelledLeases: "waits instead of returning Events" | "longer due",
    MiscountsPending: "are pending instead of",
    ShowsEarliestNewLate: "`earliest_new`",
    ShowsNoEarliestNew: "`earliest_new`",
    ForgetsAttempts: "attempts instead of",
    ForgetsFailures: "the last failure",
    AdmitsAll: "the stage",
    RedrivesAsNew: "the stage",
    RedrivesAsAdmitted: "the stage" | "held slots",
    AgesTooFast: "the age",
    AgesFromAcceptance: "the age",
    InventsIds: "another time" | "order of acceptance",
    Restamps: "at the second",
    Reencodes: "the bytes",
    ForgetsSensitiveKeys: "the sensitive keys",
    StoresNoMove: "`moved`",
    StoresAnotherMove: "at the second" | "held slots",
    MovesWithoutTheBytes: "at the second" | "held slots",
    CountsNoCollision: "`collided`",
    StoresNoOtherName: "the bytes" | "held slots",
    AdmitsWhatIsDeferred: "instead of" | "leased",
    DefersForEver: "waits instead of returning Events" | "longer due",
    DropsWhatIsWithheld: "`withheld`",
    KeepsWhatIsDropped: "`pending`" | "`dropped`",
    DerivesNothing: "`derived`",
    DerivesForLateAdmissions: "`accepted`",
    TakesDerivedForNew: "the stage",
    HidesLateAdmissions: "admissions",
    AdmitsUnderAnyEpoch: "admissions",
    SettlesUnderAnyEpoch: "settlements",
    HidesLateSettlements: "settlements",
    ReportsGoodSettlements: "settlements",
    LosesWhatIsPutBack: "waits instead of returning Events" | "longer due",
    ForgetsReasons: "tells" | "redriven instead of" | "purged instead of",
    BeginsWithoutHeldSlots: "held slots",
    BeginsWithoutUsedSlots: "used slots",
    BeginsWithForgottenSlots: "used slots",
    ForgetsUsedSlotsEarly: "used slots",
    RepeatsEpochs: "began after",
    LetsTwoDeliver: "leased instead of" | "waits instead of returning Standby",
    NeverTellsAStandby: "waits instead of returning Standby",
    AlwaysTellsAStandby: "a standby of",
    ReleasesAnyEpoch: "began instead of" | "settlements" | "admissions" | "leased instead of" | "waits instead of returning Events",
    NeverReleases: "instead of Began" | "waits instead of returning Began",
    OutlivesItsTenure: "instead of Began" | "waits instead of returning Began",
    KeepsLeasesOverARelease: "waits instead of returning Events" | "longer due",
    IgnoresThePage: "were read instead of",
    TurnsDeadLettersRound: "were read instead of",
    RedrivesAll: "redriven instead of",
    SaysNothingWasPurged: "purged instead of",
    TakesNamesByCase: "redriven instead of",
    BuriesAll: "buried instead of",
    BuriesNothing: "buried instead of",
    SaysNothingWasBuried: "buried instead of",
    RedrivesWhatItBuries: "`dead`",
    CountsPurgedAsDelivered: "`delivered`",
    KeepsDeadLettersOldest: "`oldest_own`",
    AgesTheNewest: "`oldest_pending`",
    ForgetsTheOldest: "`oldest_pending`",
    ErasesNoDeadLetters: "were erased instead of",
    ErasesOtherContacts: "were erased instead of" | "the tombstones say",
    TellsNoTombstones: "tells no tombstones" | "no events instead of waiting",
    BeginsWithoutTombstones: "the tombstones say",
    ForgivesNobody: "to be forgiven" | "the tombstones say",
}

#[test]
fn every_fault_is_found() {
    let misjudged: Vec<_> = FAULTS
        .iter()
        .map(|(fault, words)| (fault, words, report(*fault)))
        .filter(|(_, words, found)| {
            let what = found.as_ref().and_then(|found| found.lines().next());
            !what.is_some_and(|what| words.iter().any(|word| what.contains(word)))
        })
        .collect();
    assert!(misjudged.is_empty(), "{misjudged:#?}");
}

/// Returns the suite's report, if it finds a fault.
fn report(fault: Fault) -> Option<String> {
    let profile = Profile::new().capacity(CAPACITY);
    let panicked = catch_unwind(|| run(&profile, async || Faulty::new(fault))).err()?;
    Some(*panicked.downcast::<String>().unwrap())
}

#[test]
fn a_fault_is_reported_with_the_shortest_sequence() {
    let report = report(Fault::SaysNothingWasPurged).unwrap();
    let lines: Vec<_> = report.lines().collect();
    let expected = [
        "the outbox breaks a promise: 0 dead letters were purged instead of 1 (step 4, Purge(",
        "with these operations: [",
        "    Lease { engine: 0, limit: 0, ",
        "    Lease { engine: 0, limit: 1, ",
        "    Accept([Offer { ",
        "    Settle { epoch: 0, settlings: [(0, Bury { ",
        "    Purge(",
        "]",
    ];
    assert_eq!(lines.len(), expected.len(), "{report}");
    assert_eq!(lines[4].matches("Offer").count(), 1, "{report}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{report}");
    }
}

#[test]
#[should_panic(expected = "the outbox breaks a promise: it panicked")]
fn an_outbox_that_panics_is_found() {
    run(&Profile::new(), async || Forwarding(Panicking(MemoryOutbox::new())));
}

struct Faulty {
    inner: MemoryOutbox,
    fault: Fault,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The latest epoch.
    present: Option<Epoch>,
    began: u64,
    leased: HashSet<EventId>,
    /// Events that are never leased again.
    kept: HashSet<EventId>,
    redriven: HashSet<EventId>,
    born: HashMap<EventId, Instant>,
    purged: u64,
    moved: u64,
    guards: Vec<Tenure>,
}

impl Memory {
    fn keep_leases(&mut self) {
        let leased = std::mem::take(&mut self.leased);
        self.kept.extend(leased);
    }
}

impl Faulty {
    fn new(fault: Fault) -> Forwarding<Self> {
        let capacity = match fault {
            Fault::AcceptsTooMuch => CAPACITY + 1,
            Fault::RefusesTheLast => CAPACITY - 1,
            _ => CAPACITY,
        };
        let inner = MemoryOutbox::new().capacity(capacity);
        Forwarding(Faulty { inner, fault, memory: Mutex::default() })
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn present(&self) -> Option<Epoch> {
        self.memory.lock().unwrap().present
    }

    /// Returns the event as this outbox shows it.
    fn shown(&self, id: EventId, event: &DataEvent) -> DataEvent {
        let second = event.created_at().unix_seconds();
        let redriven = self.memory.lock().unwrap().redriven.contains(&id);
        match self.fault {
            Fault::Restamps if redriven => {
                event.moved_to(Timestamp::from_unix_seconds(second + 100))
            }
            Fault::Reencodes => {
                let body = event.body().trim_ascii().to_vec();
                DataEvent::from_body(body).unwrap().with_sensitive_keys(event.sensitive_keys())
            }
            Fault::ForgetsSensitiveKeys => event.clone().with_sensitive_keys([""; 0]),
            _ => event.clone(),
        }
    }

    fn begun(&self, mut tenure: Tenure) -> Tenure {
        let mut memory = self.memory.lock().unwrap();
        memory.began += 1;
        memory.present = Some(tenure.epoch);
        match self.fault {
            Fault::BeginsWithoutHeldSlots => tenure.held.clear(),
            Fault::BeginsWithoutUsedSlots => tenure.used.clear(),
            Fault::BeginsWithoutTombstones => tenure.tombstones = Arc::default(),
            Fault::RepeatsEpochs => tenure.epoch = Epoch::new(7),
            Fault::OutlivesItsTenure => {
                let guard = std::mem::replace(&mut tenure.guard, Box::new(()));
                memory.guards.push(Tenure::new(tenure.epoch, tenure.since, guard));
            }
            _ => {}
        }
        tenure
    }

    fn leased(&self, mut leased: Leased, limit: usize) -> Leased {
        let mut memory = self.memory.lock().unwrap();
        let is_kept = |id| memory.kept.contains(&id);
        leased.events.retain(|lease| !is_kept(lease.id));
        memory.leased.extend(leased.events.iter().map(|lease| lease.id));
        for lease in &leased.events {
            memory.born.entry(lease.id).or_insert_with(|| Instant::now() - lease.age);
        }
        let (began, born) = (memory.began, memory.born.clone());
        drop(memory);
        for lease in &mut leased.events {
            lease.event = self.shown(lease.id, &lease.event);
            match (self.fault, lease.stage) {
                (Fault::ForgetsAttempts, _) => lease.attempts = 0,
                (Fault::ForgetsFailures, _) => lease.last_failure = None,
                (Fault::AgesTooFast, _) => lease.age *= 2,
                (Fault::AgesFromAcceptance, _) => lease.age = born[&lease.id].elapsed(),
                (Fault::InventsIds, _) => lease.id = EventId::new(lease.id.get() + began - 1),
                (Fault::AdmitsAll, _) => lease.stage = Stage::Admitted,
                (Fault::RedrivesAsNew, Stage::Redriven) => lease.stage = Stage::New,
                (Fault::TakesDerivedForNew, Stage::Derived) => lease.stage = Stage::New,
                (Fault::RedrivesAsAdmitted, Stage::Redriven) => lease.stage = Stage::Admitted,
                _ => {}
            }
        }
        match self.fault {
            Fault::LeasesTheLastFirst => leased.events.reverse(),
            // At most the requested number.
            Fault::LeasesOneTwice if limit > 1 => {
                leased.events.truncate(limit - 1);
                leased.events.extend(leased.events.first().cloned());
            }
            Fault::MiscountsPending => leased.pending -= leased.events.len() as u64,
            Fault::TellsNoTombstones => leased.tombstones = None,
            Fault::ShowsNoEarliestNew => leased.earliest_new = None,
            Fault::ShowsEarliestNewLate => {
                let later = |earliest: Timestamp| earliest.unix_seconds() + 1;
                let later = leased.earliest_new.map(later);
                leased.earliest_new = later.map(Timestamp::from_unix_seconds);
            }
            _ => {}
        }
        leased
    }
}

#[async_trait]
impl Forward for Faulty {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.inner
    }

    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        if self.is(Fault::AcceptsAPart) {
            for event in events {
                self.inner.accept(std::slice::from_ref(event)).await?;
            }
            return Ok(());
        }
        self.inner.accept(events).await
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        let limit = match self.fault {
            Fault::LeasesTooMany if limit > 0 => limit + 1,
            Fault::LeasesForALimitOfZero => limit.max(1),
            _ => limit,
        };
        let standing = match (self.fault, standing, self.present()) {
            (Fault::RepeatsEpochs, Standing::Delivering(_), Some(present)) => {
                Standing::Delivering(present)
            }
            (Fault::LetsTwoDeliver, _, Some(present)) => Standing::Delivering(present),
            (Fault::NeverTellsAStandby, Standing::Unknown, Some(present)) => {
                Standing::Standby(present)
            }
            (Fault::AlwaysTellsAStandby, Standing::Standby(_), _) => Standing::Unknown,
            _ => standing,
        };
        loop {
            let mut turn = self.inner.lease(standing, limit);
            let first = poll!(&mut turn);
            let turn = match (first, self.fault) {
                (Poll::Ready(turn), _) => turn?,
                (_, Fault::ForgetsToWake) => std::future::pending().await,
                (_, Fault::AnswersWithoutEvents) => Turn::Leased(Leased::default()),
                _ => turn.await?,
            };
            if self.is(Fault::LosesCancelledLeases) {
                yield_now().await;
            }
            match turn {
                Turn::Began(tenure) => return Ok(Turn::Began(self.begun(tenure))),
                Turn::Leased(leased) => {
                    let any = !leased.events.is_empty();
                    let leased = self.leased(leased, limit);
                    if any && leased.events.is_empty() {
                        continue;
                    }
                    return Ok(Turn::Leased(leased));
                }
                Turn::Standby(standby) => return Ok(Turn::Standby(standby)),
            }
        }
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        let mut admissions = admissions.to_vec();
        let is_move = |admission: &&Admission| {
            matches!(admission.ruling, Ruling::Replace { moved: true, .. })
        };
        let moves: Vec<_> = admissions.iter().filter(is_move).map(|one| one.id).collect();
        match self.fault {
            Fault::StoresNoMove => {
                admissions.retain(|admission| !is_move(&admission));
            }
            Fault::StoresAnotherMove | Fault::MovesWithoutTheBytes => {
                for admission in &mut admissions {
                    let Ruling::Replace { event, moved: true, .. } = &mut admission.ruling else {
                        continue;
                    };
                    let second = event.created_at().unix_seconds();
                    match self.fault {
                        Fault::StoresAnotherMove => {
                            *event = event.moved_to(Timestamp::from_unix_seconds(second + 1));
                        }
                        _ => admission.ruling = Ruling::Keep { collides: false },
                    }
                }
            }
            Fault::StoresNoOtherName => {
                for admission in &mut admissions {
                    if let Ruling::Replace { moved: false, collides, .. } = admission.ruling {
                        admission.ruling = Ruling::Keep { collides };
                    }
                }
            }
            Fault::AdmitsWhatIsDeferred | Fault::DefersForEver => {
                for admission in &mut admissions {
                    if let Ruling::Defer { after } = &mut admission.ruling {
                        *after = Duration::MAX;
                        if self.is(Fault::AdmitsWhatIsDeferred) {
                            admission.ruling = Ruling::Keep { collides: false };
                        }
                    }
                }
            }
            Fault::DropsWhatIsWithheld | Fault::KeepsWhatIsDropped => {
                for admission in &mut admissions {
                    match (&admission.ruling, self.fault) {
                        (Ruling::Withhold, Fault::DropsWhatIsWithheld) => {
                            admission.ruling = Ruling::Drop;
                        }
                        (Ruling::Drop, Fault::KeepsWhatIsDropped) => {
                            admission.ruling = Ruling::Keep { collides: false };
                        }
                        _ => {}
                    }
                }
            }
            Fault::DerivesNothing => {
                admissions.iter_mut().for_each(|admission| admission.derived.clear());
            }
            Fault::DerivesForLateAdmissions => {
                for admission in &mut admissions {
                    if !self.memory.lock().unwrap().leased.contains(&admission.id) {
                        self.inner.accept(&admission.derived).await.ok();
                    }
                }
            }
            _ => {}
        }
        let epoch = match (self.fault, self.present()) {
            (Fault::AdmitsUnderAnyEpoch | Fault::RepeatsEpochs, Some(present)) => present,
            _ => epoch,
        };
        let late = self.inner.admit(epoch, &admissions).await?;
        self.memory.lock().unwrap().moved +=
            moves.iter().filter(|id| !late.contains(id)).count() as u64;
        Ok(if self.is(Fault::HidesLateAdmissions) { Vec::new() } else { late })
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let mut settlements = settlements.to_vec();
        for settlement in &mut settlements {
            match (&mut settlement.verdict, self.fault) {
                (Verdict::PutBack { after, .. }, Fault::LosesWhatIsPutBack) => {
                    *after = Duration::MAX;
                }
                (Verdict::Bury { reason, .. }, Fault::ForgetsReasons) => {
                    *reason = DeadLetterReason::Panic;
                }
                _ => {}
            }
            self.memory.lock().unwrap().leased.remove(&settlement.id);
        }
        let epoch = match (self.fault, self.present()) {
            (Fault::SettlesUnderAnyEpoch | Fault::RepeatsEpochs, Some(present)) => present,
            _ => epoch,
        };
        let seconds = forget_before.unix_seconds();
        let forget_before = Timestamp::from_unix_seconds(match self.fault {
            Fault::BeginsWithForgottenSlots => 0,
            Fault::ForgetsUsedSlotsEarly => seconds + 1,
            _ => seconds,
        });
        let late = self.inner.settle(epoch, &settlements, forget_before).await?;
        Ok(match self.fault {
            Fault::HidesLateSettlements => Vec::new(),
            Fault::ReportsGoodSettlements => settlements.iter().map(|s| s.id).collect(),
            _ => late,
        })
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        match (self.fault, self.present()) {
            (Fault::NeverReleases, _) => Ok(()),
            (Fault::ReleasesAnyEpoch | Fault::RepeatsEpochs, Some(present)) => {
                self.inner.release(present).await
            }
            (Fault::KeepsLeasesOverARelease, Some(present)) if present == epoch => {
                self.memory.lock().unwrap().keep_leases();
                self.inner.release(epoch).await
            }
            _ => self.inner.release(epoch).await,
        }
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        let mut counts = self.inner.counts().await?;
        let memory = self.memory.lock().unwrap();
        match self.fault {
            Fault::CountsPurgedAsDelivered => {
                counts.dead -= memory.purged;
                counts.delivered += memory.purged;
            }
            Fault::KeepsDeadLettersOldest if counts.dead_letters > 0 => {
                counts.oldest_own = Some(EventId::new(0));
            }
            Fault::AgesTheNewest => {
                counts.oldest_pending = counts.oldest_pending.map(|_| Duration::ZERO);
            }
            Fault::ForgetsTheOldest => counts.oldest_pending = None,
            Fault::CountsNoCollision => counts.collided = 0,
            Fault::MovesWithoutTheBytes => counts.moved = memory.moved,
            _ => {}
        }
        Ok(counts)
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let after = after.filter(|_| !self.is(Fault::IgnoresThePage));
        let mut letters = self.inner.dead_letters(after, limit).await?;
        if self.is(Fault::TurnsDeadLettersRound) {
            letters.reverse();
        }
        Ok(letters)
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let dead = self.inner.dead_letters(None, usize::MAX).await?;
        let selected = dead.iter().filter(|letter| which.contains(letter)).map(|letter| letter.id);
        self.memory.lock().unwrap().redriven.extend(selected);
        match (self.fault, which) {
            (Fault::RedrivesAll, _) => self.inner.redrive(&Selection::All).await,
            (Fault::TakesNamesByCase, Selection::Name(name)) => {
                let mut number = 0;
                for letter in
                    dead.iter().filter(|letter| letter.event.event_name().as_str() == name)
                {
                    number += self.inner.redrive(&Selection::One(letter.id)).await?;
                }
                Ok(number)
            }
            _ => self.inner.redrive(which).await,
        }
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        let number = self.inner.purge(which).await?;
        self.memory.lock().unwrap().purged += number;
        Ok(if self.is(Fault::SaysNothingWasPurged) { 0 } else { number })
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        match self.fault {
            Fault::BuriesNothing => Ok(0),
            Fault::BuriesAll => self.inner.bury(&Selection::All).await,
            Fault::RedrivesWhatItBuries => {
                let number = self.inner.bury(which).await?;
                self.inner.redrive(&Selection::Reason(DeadLetterReason::Buried)).await?;
                Ok(number)
            }
            _ => {
                let number = self.inner.bury(which).await?;
                Ok(if self.is(Fault::SaysNothingWasBuried) { 0 } else { number })
            }
        }
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        let mut erased = self.inner.erase(contact).await?;
        match self.fault {
            Fault::ErasesNoDeadLetters => erased.dead_letters = 0,
            Fault::ErasesOtherContacts => {
                erased.pending += self.inner.erase(&Contact::user_id(0)).await?.pending;
            }
            _ => {}
        }
        Ok(erased)
    }

    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        match self.fault {
            Fault::ForgivesNobody => Ok(true),
            _ => self.inner.forgive(contact).await,
        }
    }
}

/// An outbox that cannot be opened.
struct Panicking(MemoryOutbox);

#[async_trait]
impl Forward for Panicking {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.0
    }

    async fn accept(&self, _: &[DataEvent]) -> Result<(), AcceptError> {
        panic!("no file");
    }
}
