//! Does operations to an outbox and to the model.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use intercom_core::DataEvent;

use super::model::{Held, Model, State};
use super::offer::{NAMES, Offer};
use super::violation::{Checked, ensure};
use super::{Ending, Letters, Operation, Profile, Settling, places};
use crate::outbox::{
    AcceptError, Collisions, EventId, Failure, Outbox, OutboxError, Selection, Settlement, Verdict,
    Wake,
};

/// One sequence on its way.
pub(super) struct Course<'a, A> {
    outbox: &'a dyn Outbox,
    profile: &'a Profile,
    advance: A,
    model: Model,
    /// How many events were offered, accepted or not.
    offered: usize,
    /// Whether it accepts without waiting. It must be the one or the other.
    accepts_at_once: Option<bool>,
    wake: Wake,
    /// The one that was replaced.
    former_wake: Wake,
}

impl<'a, A: AsyncFnMut(Duration)> Course<'a, A> {
    pub(super) fn new(outbox: &'a dyn Outbox, profile: &'a Profile, advance: A) -> Self {
        let (wake, former_wake) = (Wake::new(), Wake::new());
        Course {
            outbox,
            profile,
            advance,
            model: Model::new(),
            offered: 0,
            accepts_at_once: None,
            wake,
            former_wake,
        }
    }

    pub(super) fn begin(&mut self) -> Checked {
        self.outbox.attach(self.former_wake.clone());
        self.outbox.attach(self.wake.clone());
        was_woken(&self.former_wake);
        self.compare_counts()
    }

    pub(super) async fn perform(&mut self, operation: &Operation) -> Checked {
        was_woken(&self.wake);
        match operation {
            Operation::Accept(offers, collisions) => self.accept(offers, *collisions).await?,
            Operation::TryAccept(offer, collisions) => self.try_accept(offer, *collisions)?,
            Operation::Lease { most, term } => self.lease(*most, self.ticks(*term)).await?,
            Operation::Settle(settlings) => self.settle(settlings).await?,
            Operation::Redrive(letters) => self.redrive(letters).await?,
            Operation::Purge(letters) => self.purge(letters).await?,
            Operation::Read { after, most } => self.read(*after, *most).await?,
            Operation::Advance(ticks) => self.advance(self.ticks(*ticks)).await,
        }
        self.compare_counts()
    }

    /// Redrives and delivers all that is left, so that each event has been seen, and judges the places of all.
    pub(super) async fn deliver_all(&mut self) -> Checked {
        self.redrive(&Letters::All).await?;
        self.compare_counts()?;
        while let Some(last) = self.model.due_times().map(|(_, due)| due).max() {
            self.advance(last.saturating_sub(self.model.now)).await;
            let before = self.model.leases.len();
            self.lease(self.model.events.len(), self.ticks(1)).await?;
            let leases = 0..self.model.leases.len() - before;
            let settle = |lease| Settling { lease, ending: Ending::Acknowledge };
            self.settle(&leases.map(settle).collect::<Vec<_>>()).await?;
            self.compare_counts()?;
        }
        self.lease(1, self.ticks(1)).await?;
        self.compare_counts()?;
        places::judge(&mut self.model.events)?;
        self.compare_counts()?;
        ensure!(!was_woken(&self.former_wake), "a `Wake` was woken that had been replaced");
        Ok(())
    }

    async fn accept(&mut self, offers: &[Offer], collisions: Collisions) -> Checked {
        let events: Vec<_> = offers.iter().map(|offer| self.event(offer)).collect();
        let accepted = self.outbox.accept(&events, collisions).await;
        self.compare_accepted(accepted, events, collisions)
    }

    fn try_accept(&mut self, offer: &Offer, collisions: Collisions) -> Checked {
        let event = self.event(offer);
        let accepted = self.outbox.try_accept(event.clone(), collisions);
        if let Err(unaccepted) = &accepted {
            ensure!(unaccepted.event == event, "another event was given back than was offered");
        }
        let accepted = accepted.map_err(|unaccepted| unaccepted.error);
        let at_once = !matches!(accepted, Err(AcceptError::Unsupported));
        ensure!(
            *self.accepts_at_once.get_or_insert(at_once) == at_once,
            "it can accept without waiting at one time, and not at another"
        );
        match at_once {
            true => self.compare_accepted(accepted, vec![event], collisions),
            false => Ok(()),
        }
    }

    fn event(&mut self, offer: &Offer) -> DataEvent {
        self.offered += 1;
        offer.event(self.offered, self.model.now)
    }

    fn compare_accepted(
        &mut self,
        accepted: Result<(), AcceptError>,
        events: Vec<DataEvent>,
        collisions: Collisions,
    ) -> Checked {
        let pending = self.model.due_times().count();
        let room = self.profile.capacity.map(|capacity| capacity.saturating_sub(pending));
        let fits = room.is_none_or(|room| events.len() <= room);
        let number = events.len();
        match accepted {
            Ok(()) => {
                ensure!(fits, "{number} events were accepted, and there is room for {room:?}");
                ensure!(was_woken(&self.wake), "nobody was woken for accepted events");
                for event in events {
                    self.model.accept(event, collisions);
                }
                Ok(())
            }
            Err(AcceptError::Full) if !fits => Ok(()),
            // More than there ever is room for: waiting does not help, and so this need not be called full.
            Err(_) if self.profile.capacity.is_some_and(|capacity| number > capacity) => Ok(()),
            Err(error) => Err(format!("{number} events were not accepted: {error:?}")),
        }
    }

    async fn lease(&mut self, most: usize, term: Duration) -> Checked {
        let leased = self.outbox.lease(most, term).await.map_err(failed("lease"))?;
        self.model.compare_leased(&leased, most, term, self.profile.tick / 2)
    }

    async fn settle(&mut self, settlings: &[Settling]) -> Checked {
        let (mut settlements, mut late) = (Vec::new(), BTreeSet::new());
        for Settling { lease, ending } in settlings {
            let leases = &self.model.leases;
            let Some(round) = lease.checked_rem(leases.len()) else { return Ok(()) };
            let (event, lease) = &leases[leases.len() - 1 - round];
            let settlement = lease.settle(self.verdict(ending));
            if !self.model.settle(*event, settlement.token, &settlement.verdict) {
                late.insert(settlement.id);
            }
            settlements.push(settlement);
        }
        let told = self.outbox.settle(&settlements).await.map_err(failed("settle"))?;
        let told: BTreeSet<EventId> = told.into_iter().collect();
        let asked: Vec<_> = settlements.iter().map(|Settlement { id, .. }| id).collect();
        ensure!(
            told == late,
            "the settlements of {told:?} are said to be late instead of {late:?}, out of {asked:?}"
        );
        Ok(())
    }

    fn verdict(&self, ending: &Ending) -> Verdict {
        match ending {
            Ending::Acknowledge => Verdict::Acknowledge,
            Ending::PutBack { after, attempts } => {
                // Put back without a reason, it keeps the one that it had.
                let reason = format!("it was put back after {attempts} attempts");
                let failure = (attempts % 3 > 0).then(|| Failure::new(reason));
                Verdict::PutBack { after: self.ticks(*after), attempts: *attempts, failure }
            }
            Ending::Bury { reason, attempts, answered } => {
                let failure = answered.then(|| Failure {
                    message: "it said \"no\",\nand that was “it”".to_owned(),
                    status: Some(422),
                    request_id: Some("req-7".to_owned()),
                });
                Verdict::Bury { reason: *reason, attempts: *attempts, failure }
            }
        }
    }

    async fn redrive(&mut self, letters: &Letters) -> Checked {
        let Some((selection, expected)) = self.select(letters) else { return Ok(()) };
        let told = self.outbox.redrive(&selection).await.map_err(failed("redrive"))?;
        let number = expected.len();
        ensure!(told == number as u64, "{told} dead letters were redriven instead of {number}");
        ensure!(number == 0 || was_woken(&self.wake), "nobody was woken for redriven events");
        for event in expected {
            self.model.redrive(event);
        }
        Ok(())
    }

    async fn purge(&mut self, letters: &Letters) -> Checked {
        let Some((selection, expected)) = self.select(letters) else { return Ok(()) };
        let told = self.outbox.purge(&selection).await.map_err(failed("purge"))?;
        let number = expected.len();
        ensure!(told == number as u64, "{told} dead letters were purged instead of {number}");
        for event in expected {
            self.model.purge(event);
        }
        Ok(())
    }

    /// Which dead letters these are.
    fn select(&self, letters: &Letters) -> Option<(Selection, Vec<usize>)> {
        Some(match letters {
            Letters::All => (Selection::All, self.dead(|_| true)),
            Letters::Name(name) => {
                let name = NAMES[name % NAMES.len()];
                let folded = name.to_lowercase();
                let selected = self.dead(|held| held.offered.name().to_lowercase() == folded);
                (Selection::Name(name.to_owned()), selected)
            }
            Letters::Reason(asked) => {
                let selected = self.dead(
                    |held| matches!(&held.state, State::Dead { reason, .. } if reason == asked),
                );
                (Selection::Reason(*asked), selected)
            }
            Letters::One(number) => {
                let id = self.number(*number)?;
                (Selection::One(id), self.dead(|held| held.id == Some(id)))
            }
        })
    }

    fn dead(&self, selected: impl Fn(&Held) -> bool) -> Vec<usize> {
        self.model.dead().filter(|event| selected(&self.model.events[*event])).collect()
    }

    /// The id of the dead letter with this number, or of any event after the last.
    fn number(&self, number: usize) -> Option<EventId> {
        let events = &self.model.events;
        let dead: Vec<_> = self.model.dead().filter_map(|event| events[event].id).collect();
        let all: Vec<_> = events.iter().filter_map(|event| event.id).collect();
        let others = number.saturating_sub(dead.len()).checked_rem(all.len());
        dead.get(number).copied().or_else(|| Some(all[others?]))
    }

    async fn read(&mut self, after: Option<usize>, most: usize) -> Checked {
        let after = after.and_then(|number| self.number(number));
        let read =
            self.outbox.dead_letters(after, most).await.map_err(failed("read dead letters"))?;
        let later = |event: &usize| self.model.events[*event].id > after;
        let expected: Vec<_> = self.model.dead().filter(later).take(most).collect();
        self.model.compare_letters(&read, &expected)
    }

    async fn advance(&mut self, by: Duration) {
        if !by.is_zero() {
            (self.advance)(by).await;
            self.model.now += by;
        }
    }

    fn ticks(&self, ticks: u32) -> Duration {
        self.profile.tick * ticks
    }

    fn compare_counts(&mut self) -> Checked {
        let counts = self.outbox.counts();
        ensure!(counts.is_balanced(), "the books are not balanced: {counts:?}");
        self.model.compare_counts(&counts)
    }
}

/// Whether it was woken since this was last asked.
fn was_woken(wake: &Wake) -> bool {
    wake.woken().now_or_never().is_some()
}

fn failed(to: &str) -> impl Fn(OutboxError) -> String {
    move |error| format!("it failed to {to}: {error:?}")
}
