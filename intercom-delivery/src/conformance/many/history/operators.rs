//! What operators do, in any process and at any moment of the delivery.

use futures_util::future::{join, join3};
use intercom_core::Contact;

use super::{FleetHistory, balanced, failed};
use crate::conformance::many::events::{NAMES, Removed};
use crate::conformance::many::{Fleet, FleetReport, Process, Promise, Verified, require};
use crate::outbox::{
    DeadLetter, DeadLetterReason, ErasedEvents, EventId, Operate as _, Outbox as _, Selection,
    Slot, Verdict,
};

/// The reasons of a history's dead letters.
const REASONS: [DeadLetterReason; 3] =
    [DeadLetterReason::Rejected, DeadLetterReason::AttemptLimit, DeadLetterReason::Buried];

impl<F: Fleet> FleetHistory<'_, F> {
    /// An operator does something, and nothing else happens meanwhile.
    pub(super) async fn operate(&mut self, report: &mut FleetReport) -> Verified {
        match self.random.u8(..9) {
            0..4 => {
                let known = self.events.pending();
                let which = self.select(&known);
                self.bury(&which, report).await
            }
            4 | 5 => {
                let known = self.events.dead();
                let which = self.select(&known);
                self.redrive(&which).await
            }
            6 => {
                let known = self.events.dead();
                let which = self.select(&known);
                self.purge(&which, report).await
            }
            7 => self.erase(report).await,
            _ => self.forgive_all().await,
        }
    }

    /// Mostly one event, and rarely all.
    fn select(&mut self, known: &[EventId]) -> Selection {
        let one = self.random.usize(..known.len().max(1));
        match (self.random.u8(..12), known.get(one)) {
            (0..8, Some(id)) => Selection::One(*id),
            (0..10, _) => Selection::Name(NAMES[1].to_uppercase()),
            (10, _) => Selection::Reason(REASONS[self.random.usize(..REASONS.len())]),
            _ => Selection::All,
        }
    }

    async fn bury(&mut self, which: &Selection, report: &mut FleetReport) -> Verified {
        let index = self.running();
        let name = self.members[index].name;
        self.note(format!("process {name} buries {which:?}"));
        let buried = self.members[index].process.outbox().bury(which).await;
        let buried = buried.map_err(failed(Promise::Operators))?;
        let removed = self.events.bury_pending(which);
        let letters = self.letters().await?;
        let found = self.events.find_buried(&letters)?;
        let expected = removed.len() as u64 + found;
        require!(
            buried == expected,
            Operators,
            "{}",
            wrong("buried", which, name, buried, expected)
        );
        for event in &removed {
            // Another event may get its slot, unless its bytes are final.
            self.note_removal(event, event.is_final);
        }
        report.removed += expected;
        self.events.compare_letters(&letters)
    }

    /// Redrives dead letters in any process, whether it delivers or not.
    pub(super) async fn redrive(&mut self, which: &Selection) -> Verified {
        self.hesitate().await;
        let index = self.running();
        let name = self.members[index].name;
        self.note(format!("process {name} redrives {which:?}"));
        let redriven = self.members[index].process.outbox().redrive(which).await;
        let redriven = redriven.map_err(failed(Promise::Redrive))?;
        let expected = self.redriven(which);
        require!(
            redriven == expected,
            Redrive,
            "{}",
            wrong("redrove", which, name, redriven, expected)
        );
        Ok(())
    }

    /// Notes that the selected letters were redriven. Returns their number.
    fn redriven(&mut self, which: &Selection) -> u64 {
        let (redriven, old) = self.events.redrive(which, self.spent, self.now);
        // While it was a dead letter, the slot of an event that left before could be forgotten.
        old.into_iter().for_each(|id| self.intercom.remove(id));
        redriven
    }

    async fn purge(&mut self, which: &Selection, report: &mut FleetReport) -> Verified {
        let index = self.running();
        let name = self.members[index].name;
        self.note(format!("process {name} purges {which:?}"));
        let purged = self.members[index].process.outbox().purge(which).await;
        let purged = purged.map_err(failed(Promise::Operators))?;
        let removed = self.events.purge(which);
        let expected = removed.len() as u64;
        require!(
            purged == expected,
            Operators,
            "{}",
            wrong("purged", which, name, purged, expected)
        );
        for event in &removed {
            // A settlement keeps the slot of the letter that it makes. An operator keeps none.
            self.note_removal(event, !event.was_buried);
        }
        report.removed += expected;
        let letters = self.letters().await?;
        self.events.compare_letters(&letters)
    }

    /// Erases a contact all of whose events are known to be there.
    async fn erase(&mut self, report: &mut FleetReport) -> Verified {
        let contact = Contact::user_id(self.random.u8(..3));
        if self.events.is_in_doubt(&contact) {
            return Ok(());
        }
        let index = self.running();
        let name = self.members[index].name;
        self.note(format!("process {name} erases a contact"));
        let erased = self.members[index].process.outbox().erase(&contact).await;
        let ErasedEvents { pending, dead_letters, .. } =
            erased.map_err(failed(Promise::Operators))?;
        let (events, letters) = self.events.erase(&contact);
        let expected = (events.len() as u64, letters.len() as u64);
        let told = (pending, dead_letters);
        require!(
            told == expected,
            Operators,
            "process {name} erased a contact, and `erase` returned {} pending events and {} dead letters \
             instead of {} and {}; an erasure deletes all events of its contact, and returns their number",
            told.0,
            told.1,
            expected.0,
            expected.1
        );
        for event in events.iter().chain(&letters) {
            self.note_removal(event, false);
        }
        report.removed += pending + dead_letters;
        self.erased.push(contact);
        let letters = self.letters().await?;
        self.events.compare_letters(&letters)
    }

    /// Forgives the erased contacts.
    pub(super) async fn forgive_all(&mut self) -> Verified {
        let erased = std::mem::take(&mut self.erased);
        if erased.is_empty() {
            return Ok(());
        }
        let index = self.running();
        let name = self.members[index].name;
        self.note(format!("process {name} forgives all contacts"));
        for contact in 0..3 {
            let contact = Contact::user_id(contact);
            let forgiven = self.members[index].process.outbox().forgive(&contact).await;
            let forgiven = forgiven.map_err(failed(Promise::Operators))?;
            let expected = erased.contains(&contact);
            require!(
                forgiven == expected,
                Operators,
                "process {name} forgave a contact that was erased: {expected}, and `forgive` returned \
                 {forgiven}; it returns whether the contact was erased"
            );
        }
        Ok(())
    }

    /// At once, one process settles an event that another buries, a third process redrives a dead
    /// letter that a fourth purges, and a fifth counts.
    pub(super) async fn operate_at_once(&mut self, report: &mut FleetReport) -> Verified {
        self.hesitate().await;
        let now = self.timestamp();
        let Some(engine) = self.certain_engine() else { return Ok(()) };
        let (epoch, Some(lease)) = (engine.epoch(), engine.in_flight.pop()) else {
            return Ok(());
        };
        let id = lease.id;
        let used = engine.admission.leave(Slot::of(&lease.event), now);
        let settlement = [lease.settle(Verdict::Delivered { used })];
        let forget_before = engine.forget_before;
        let (_, may_settle) = self.events.may_settle(id);
        let holder = self.holder.map_or(0, |holder| holder.member);
        let [one, two, three, four] = [(); 4].map(|()| self.running());
        let dead = self.events.dead();
        let letter = self.random.choice(dead).filter(|letter| *letter != id);
        self.note(format!(
            "process {} settles and process {} buries the event {id}, process {} redrives and process {} \
             purges the dead letter {letter:?}, at once",
            self.members[holder].name,
            self.members[one].name,
            self.members[two].name,
            self.members[three].name,
        ));
        let purges_first = self.random.bool();
        let outbox = |index: usize| self.members[index].process.outbox();
        let (the_event, the_letter) = (Selection::One(id), letter.map(Selection::One));
        let redrive = async {
            let Some(which) = &the_letter else { return Ok(0) };
            outbox(two).redrive(which).await
        };
        let purge = async {
            let Some(which) = &the_letter else { return Ok(0) };
            outbox(three).purge(which).await
        };
        let count = async {
            let mut all = Vec::new();
            for _ in 0..3 {
                all.push(outbox(four).counts().await);
            }
            all
        };
        let settle = outbox(holder).settle(epoch, &settlement, forget_before);
        let bury = outbox(one).bury(&the_event);
        let letters = async {
            if purges_first {
                let (purged, redriven) = join(purge, redrive).await;
                (redriven, purged)
            } else {
                join(redrive, purge).await
            }
        };
        let ((late, buried, counts), (redriven, purged)) =
            join(join3(settle, bury, count), letters).await;
        let late = late.map_err(failed(Promise::Delivery))?;
        let [buried, redriven, purged] =
            [buried, redriven, purged].map(|done| done.map_err(failed(Promise::Operators)));
        let (buried, redriven, purged) = (buried?, redriven?, purged?);
        for counts in counts {
            balanced(counts)?;
        }
        let done = (late.is_empty(), buried);
        // If no settlement counts, it may still be pending, or not.
        let expected = [(may_settle, 0), (false, 1)];
        require!(
            expected.contains(&done),
            Operators,
            "one process settled the event {id} and another buried it, at once, and the settlement \
             counted: {}, and {buried} events were buried; one of the two calls must change the event, and \
             the other must return that it did not",
            late.is_empty()
        );
        if late.is_empty() {
            self.events.deliver(id);
        } else {
            self.events.end_lease(id);
            if let Some(engine) = self.certain_engine() {
                engine.admission.lose(id);
            }
            let removed = self.events.bury_pending(&the_event);
            let expected = removed.len() as u64;
            let name = self.members[one].name;
            let what = wrong("buried", &the_event, name, buried, expected);
            require!(buried == expected, Operators, "{what}");
            removed.iter().for_each(|event| self.note_removal(event, event.is_final));
        }
        self.intercom.arrive(id, &lease.event)?;
        if let Some(which) = the_letter {
            let once = redriven + purged == 1;
            require!(
                once,
                Operators,
                "one process redrove the dead letter {letter:?} and another purged it, at once, and \
                 {redriven} were redriven and {purged} purged; one of the two calls must change it, and \
                 return that"
            );
            match redriven {
                1 => _ = self.redriven(&which),
                _ => {
                    let removed = self.events.purge(&which);
                    removed.iter().for_each(|event| self.note_removal(event, !event.was_buried));
                }
            }
        }
        report.removed += buried + purged;
        let letters = self.letters().await?;
        self.events.compare_letters(&letters)
    }

    /// Lets a moment pass before a redrive: what was admitted before is due longer, also after a
    /// takeover.
    async fn hesitate(&mut self) {
        let moment = self.profile.tick / 100;
        self.fleet.advance(moment).await;
        self.spent += moment;
    }

    /// Notes that an operator removed an event. `keeps_slot` says that no other event gets its slot.
    fn note_removal(&mut self, event: &Removed, keeps_slot: bool) {
        let Some(id) = event.id else { return };
        let engines = self.members.iter().filter_map(|member| member.engine.as_ref());
        let mut at_hand = engines.flat_map(|engine| engine.ready.iter().chain(&engine.in_flight));
        let is_at_hand = event.was_leased || at_hand.any(|lease| lease.id == id);
        if !keeps_slot && (is_at_hand || self.intercom.may_have(id)) {
            self.intercom.remove(id);
        }
    }

    /// Any process lists all dead letters, some at a time.
    async fn letters(&mut self) -> Verified<Vec<DeadLetter>> {
        let index = self.running();
        let mut letters: Vec<DeadLetter> = Vec::new();
        loop {
            let after = letters.last().map(|letter| letter.id);
            let page = self.members[index].process.outbox().dead_letters(after, 7).await;
            let page = page.map_err(failed(Promise::Operators))?;
            let is_last = page.len() < 7;
            letters.extend(page);
            if is_last {
                return Ok(letters);
            }
        }
    }
}

/// Says that an operator's call returned another number than that of the events that it changed.
fn wrong(done: &str, which: &Selection, name: usize, number: u64, expected: u64) -> String {
    format!(
        "process {name} {done} {number} events by {which:?} instead of {expected}; an operator's call \
         changes all events that it selects, and returns their number"
    )
}
