//! Outboxes that each break one promise. The suite must notice, or it proves nothing.

use std::collections::{HashMap, HashSet};
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp, async_trait};
use intercom_delivery::conformance::{Profile, check, operations, run};
use intercom_delivery::outbox::{
    AcceptError, Collisions, Counts, DeadLetter, EventId, LeaseToken, Leased, Outbox, OutboxError,
    Selection, Settlement, Unaccepted, Verdict, Wake,
};
use intercom_delivery::{DeathReason, MemoryOutbox};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tokio::runtime::Builder;
use tokio::time::Instant;

const CAPACITY: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    AcceptsAPart,
    AcceptsTooMuch,
    RefusesTheLast,
    GivesBackAnother,
    TriesNowAndThen,
    ForgetsToWake,
    WakesTheFormer,
    KeepsWhatCollides,
    MovesTooFar,
    LeasesTooMany,
    LeasesOneTwice,
    EndsLeasesEarly,
    NeverEndsLeases,
    LeasesTheLastFirst,
    RepeatsTokens,
    ShowsNoNextDue,
    ShowsNextDueLate,
    AlwaysMoreDue,
    ForgetsAttempts,
    ForgetsFailures,
    Restamps,
    Reencodes,
    AgesTooFast,
    AgesFromAcceptance,
    LosesWhatIsPutBack,
    HidesLateSettlements,
    TakesLateSettlements,
    ReportsGoodSettlements,
    ForgetsReasons,
    IgnoresThePage,
    TurnsDeadLettersRound,
    RedrivesAll,
    SaysNothingWasPurged,
    TakesNamesByCase,
    CountsPurgedAsDelivered,
    KeepsDeadLettersOldest,
    InventsIds,
}

/// Each fault, and words of what is said about it.
const FAULTS: &[(Fault, &[&str])] = &[
    (Fault::AcceptsAPart, &["`accepted`"]),
    (Fault::AcceptsTooMuch, &["there is room for"]),
    (Fault::RefusesTheLast, &["not accepted"]),
    (Fault::GivesBackAnother, &["given back"]),
    (Fault::TriesNowAndThen, &["at one time, and not at another"]),
    (Fault::ForgetsToWake, &["nobody was woken"]),
    (Fault::WakesTheFormer, &["nobody was woken"]),
    (Fault::KeepsWhatCollides, &["`moved`"]),
    (Fault::MovesTooFar, &["at the second"]),
    (Fault::LeasesTooMany, &["asked for"]),
    (Fault::LeasesOneTwice, &["twice at once"]),
    (Fault::EndsLeasesEarly, &["before its lease is over", "late"]),
    (Fault::NeverEndsLeases, &["`next_due` is", "nothing was leased"]),
    (Fault::LeasesTheLastFirst, &["longer due"]),
    (Fault::RepeatsTokens, &["one token"]),
    (Fault::ShowsNoNextDue, &["`next_due` is None"]),
    (Fault::ShowsNextDueLate, &["`next_due` is Some"]),
    (Fault::AlwaysMoreDue, &["`next_due` is zero"]),
    (Fault::ForgetsAttempts, &["attempts instead of"]),
    (Fault::ForgetsFailures, &["the last failure"]),
    (Fault::Restamps, &["at the second"]),
    (Fault::Reencodes, &["the bytes"]),
    (Fault::AgesTooFast, &["the age"]),
    (Fault::AgesFromAcceptance, &["the age"]),
    (Fault::LosesWhatIsPutBack, &["`next_due` is", "longer due"]),
    (Fault::HidesLateSettlements, &["late"]),
    (Fault::TakesLateSettlements, &["late"]),
    (Fault::ReportsGoodSettlements, &["late"]),
    (Fault::ForgetsReasons, &["tells", "redriven instead of", "purged instead of"]),
    (Fault::IgnoresThePage, &["were read instead of"]),
    (Fault::TurnsDeadLettersRound, &["were read instead of"]),
    (Fault::RedrivesAll, &["redriven instead of"]),
    (Fault::SaysNothingWasPurged, &["purged instead of"]),
    (Fault::TakesNamesByCase, &["redriven instead of"]),
    (Fault::CountsPurgedAsDelivered, &["`delivered`"]),
    (Fault::KeepsDeadLettersOldest, &["`oldest_pending`"]),
    (Fault::InventsIds, &["another time", "order of acceptance"]),
];

#[test]
fn every_fault_is_found() {
    let misjudged: Vec<_> = FAULTS
        .iter()
        .map(|(fault, words)| (fault, words, first_violation(*fault)))
        .filter(|(_, words, found)| {
            let told = |found: &String| words.iter().any(|word| found.contains(word));
            !found.as_ref().is_some_and(told)
        })
        .collect();
    assert!(misjudged.is_empty(), "{misjudged:#?}");
}

/// What the suite says in one of the cases that it tries by default.
fn first_violation(fault: Fault) -> Option<String> {
    let mut random = TestRunner::deterministic();
    let profile = Profile::new().capacity(CAPACITY);
    (0..256).find_map(|_| {
        let operations = operations().new_tree(&mut random).unwrap().current();
        let runtime = Builder::new_current_thread().start_paused(true).build().unwrap();
        let outbox = Faulty::new(fault);
        let checked = runtime.block_on(check(&outbox, &profile, &operations, tokio::time::advance));
        checked.err().map(|violation| violation.what().to_owned())
    })
}

#[test]
fn it_is_told_with_the_shortest_sequence() {
    let profile = Profile::new().capacity(CAPACITY);
    let told = catch_unwind(|| run(&profile, async || Faulty::new(Fault::SaysNothingWasPurged)));
    let told = *told.unwrap_err().downcast::<String>().unwrap();
    let lines: Vec<_> = told.lines().collect();
    let [what, with, accept, lease, settle, purge, end] = lines[..] else { panic!("{told}") };
    let says = "the outbox breaks a promise: 0 dead letters were purged instead of 1 (step 3, ";
    assert!(what.starts_with(says), "{told}");
    assert_eq!((with, end), ("with these operations: [", "]"));
    assert!(accept.contains("Accept("), "{told}");
    assert!(lease.starts_with("    Lease { most: 1, "), "{told}");
    assert!(settle.starts_with("    Settle([Settling { lease: 0, ending: Bury { "), "{told}");
    assert!(purge.starts_with("    Purge("), "{told}");
}

#[test]
#[should_panic(expected = "the outbox breaks a promise: it panicked")]
fn an_outbox_that_panics_is_found() {
    run(&Profile::new(), async || Panicking);
}

struct Faulty {
    inner: MemoryOutbox,
    fault: Fault,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    tokens: HashMap<EventId, LeaseToken>,
    redriven: HashSet<EventId>,
    born: HashMap<EventId, Instant>,
    attached: bool,
    purged: u64,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        let capacity = match fault {
            Fault::AcceptsTooMuch => CAPACITY + 1,
            Fault::RefusesTheLast => CAPACITY - 1,
            _ => CAPACITY,
        };
        Faulty { inner: MemoryOutbox::new().capacity(capacity), fault, memory: Mutex::default() }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn collisions(&self, asked: Collisions) -> Collisions {
        if self.is(Fault::KeepsWhatCollides) { Collisions::Keep } else { asked }
    }

    /// The event as it is shown.
    fn shown(&self, id: EventId, event: &DataEvent) -> DataEvent {
        let second = event.created_at().unix_seconds();
        let redriven = self.memory.lock().unwrap().redriven.contains(&id);
        match self.fault {
            Fault::Restamps if redriven => {
                event.moved_to(Timestamp::from_unix_seconds(second + 100))
            }
            Fault::MovesTooFar if self.inner.counts().moved > 0 => {
                event.moved_to(Timestamp::from_unix_seconds(second + 1))
            }
            Fault::Reencodes => {
                let body = event.body().trim_ascii().to_vec();
                DataEvent::from_body(body).unwrap()
            }
            _ => event.clone(),
        }
    }
}

#[async_trait]
impl Outbox for Faulty {
    async fn accept(
        &self,
        events: &[DataEvent],
        collisions: Collisions,
    ) -> Result<(), AcceptError> {
        let collisions = self.collisions(collisions);
        if self.is(Fault::AcceptsAPart) {
            for event in events {
                self.inner.accept(std::slice::from_ref(event), collisions).await?;
            }
            return Ok(());
        }
        self.inner.accept(events, collisions).await
    }

    fn try_accept(&self, event: DataEvent, collisions: Collisions) -> Result<(), Box<Unaccepted>> {
        if self.is(Fault::TriesNowAndThen) && self.inner.counts().pending == 1 {
            return Err(Box::new(Unaccepted { event, error: AcceptError::Unsupported }));
        }
        let mut tried = self.inner.try_accept(event, self.collisions(collisions));
        if let Err(unaccepted) = &mut tried
            && self.is(Fault::GivesBackAnother)
        {
            unaccepted.event = unaccepted.event.moved_to(Timestamp::from_unix_seconds(0));
        }
        tried
    }

    async fn lease(&self, most: usize, term: Duration) -> Result<Leased, OutboxError> {
        let more = usize::from(self.is(Fault::LeasesTooMany));
        let term = match self.fault {
            Fault::EndsLeasesEarly => term / 2,
            Fault::NeverEndsLeases => Duration::MAX,
            _ => term,
        };
        let mut leased = self.inner.lease(most + more, term).await?;
        if let Some(first) = leased.events.first().cloned()
            && self.is(Fault::LeasesOneTwice)
        {
            // Within what was asked for, where that can be.
            leased.events.truncate(most.saturating_sub(1).max(1));
            leased.events.push(first);
        }
        for lease in &mut leased.events {
            let mut memory = self.memory.lock().unwrap();
            memory.tokens.insert(lease.id, lease.token);
            let born = *memory.born.entry(lease.id).or_insert_with(|| Instant::now() - lease.age);
            drop(memory);
            lease.event = self.shown(lease.id, &lease.event);
            match self.fault {
                Fault::RepeatsTokens => lease.token = LeaseToken(7),
                Fault::ForgetsAttempts => lease.attempts = 0,
                Fault::ForgetsFailures => lease.last_failure = None,
                Fault::AgesTooFast => lease.age *= 2,
                Fault::AgesFromAcceptance => lease.age = born.elapsed(),
                Fault::InventsIds => lease.id.0 += lease.token.0,
                _ => {}
            }
        }
        match self.fault {
            Fault::LeasesTheLastFirst => leased.events.reverse(),
            Fault::ShowsNoNextDue => leased.next_due = None,
            Fault::ShowsNextDueLate => {
                leased.next_due = leased.next_due.map(|due| due + Duration::from_millis(1));
            }
            Fault::AlwaysMoreDue => leased.next_due = Some(Duration::ZERO),
            _ => {}
        }
        Ok(leased)
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<EventId>, OutboxError> {
        let mut settlements = settlements.to_vec();
        for settlement in &mut settlements {
            if matches!(self.fault, Fault::TakesLateSettlements | Fault::RepeatsTokens)
                && let Some(token) = self.memory.lock().unwrap().tokens.get(&settlement.id)
            {
                settlement.token = *token;
            }
            match (&mut settlement.verdict, self.fault) {
                (Verdict::PutBack { after, .. }, Fault::LosesWhatIsPutBack) => {
                    *after = Duration::MAX;
                }
                (Verdict::Bury { reason, .. }, Fault::ForgetsReasons) => {
                    *reason = DeathReason::Panic;
                }
                _ => {}
            }
        }
        let late = self.inner.settle(&settlements).await?;
        Ok(match self.fault {
            Fault::HidesLateSettlements => Vec::new(),
            Fault::ReportsGoodSettlements => settlements.iter().map(|s| s.id).collect(),
            _ => late,
        })
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let after = after.filter(|_| !self.is(Fault::IgnoresThePage));
        let mut letters = self.inner.dead_letters(after, most).await?;
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
                for letter in dead.iter().filter(|letter| letter.event.name() == name) {
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

    fn counts(&self) -> Counts {
        let counts = self.inner.counts();
        let purged = self.memory.lock().unwrap().purged;
        match self.fault {
            Fault::CountsPurgedAsDelivered => Counts {
                dead: counts.dead - purged,
                delivered: counts.delivered + purged,
                ..counts
            },
            Fault::KeepsDeadLettersOldest if counts.dead_letters > 0 => {
                Counts { oldest_pending: Some(EventId(0)), ..counts }
            }
            _ => counts,
        }
    }

    fn attach(&self, wake: Wake) {
        let attached = std::mem::replace(&mut self.memory.lock().unwrap().attached, true);
        match self.fault {
            Fault::ForgetsToWake => {}
            Fault::WakesTheFormer if attached => {}
            _ => self.inner.attach(wake),
        }
    }
}

/// Cannot even be opened.
struct Panicking;

#[async_trait]
impl Outbox for Panicking {
    async fn accept(&self, _: &[DataEvent], _: Collisions) -> Result<(), AcceptError> {
        panic!("no file");
    }

    async fn lease(&self, _: usize, _: Duration) -> Result<Leased, OutboxError> {
        Ok(Leased::default())
    }

    async fn settle(&self, _: &[Settlement]) -> Result<Vec<EventId>, OutboxError> {
        Ok(Vec::new())
    }

    async fn dead_letters(
        &self,
        _: Option<EventId>,
        _: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        Ok(Vec::new())
    }

    async fn redrive(&self, _: &Selection) -> Result<u64, OutboxError> {
        Ok(0)
    }

    async fn purge(&self, _: &Selection) -> Result<u64, OutboxError> {
        Ok(0)
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn attach(&self, _: Wake) {}
}
