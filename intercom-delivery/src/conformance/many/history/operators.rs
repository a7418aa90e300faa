//! What operators do, in any process and at any moment of the delivery.

use futures_util::future::{join, join3};
use intercom_core::Contact;

use super::{FleetHistory, failed};
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
        self.note(format!("{} buries {which:?}", self.members[index].name));
        let buried = self.members[index].process.outbox().bury(which).await;
        let buried = buried.map_err(failed(Promise::Operators))?;
        let removed = self.events.bury_pending(which);
        let letters = self.letters().await?;
        let found = self.events.find_buried(&letters)?;
        let expected = removed.len() as u64 + found;
        require!(buried == expected, Operators, "{buried} were buried instead of {expected}");
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
        self.note(format!("{} redrives {which:?}", self.members[index].name));
        let redriven = self.members[index].process.outbox().redrive(which).await;
        let redriven = redriven.map_err(failed(Promise::Redrive))?;
        let expected = self.redriven(which);
        require!(redriven == expected, Redrive, "{redriven} were redriven instead of {expected}");
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
        self.note(format!("{} purges {which:?}", self.members[index].name));
        let purged = self.members[index].process.outbox().purge(which).await;
        let purged = purged.map_err(failed(Promise::Operators))?;
        let removed = self.events.purge(which);
        let expected = removed.len() as u64;
        require!(purged == expected, Operators, "{purged} were purged instead of {expected}");
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
        self.note(format!("{} erases a contact", self.members[index].name));
        let erased = self.members[index].process.outbox().erase(&contact).await;
        let ErasedEvents { pending, dead_letters, .. } =
            erased.map_err(failed(Promise::Operators))?;
        let (events, letters) = self.events.erase(&contact);
        let expected = (events.len() as u64, letters.len() as u64);
        let told = (pending, dead_letters);
        require!(told == expected, Operators, "{told:?} were erased instead of {expected:?}");
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
        self.note(format!("{} forgives", self.members[index].name));
        for contact in 0..3 {
            let contact = Contact::user_id(contact);
            let forgiven = self.members[index].process.outbox().forgive(&contact).await;
            let forgiven = forgiven.map_err(failed(Promise::Operators))?;
            let expected = erased.contains(&contact);
            require!(forgiven == expected, Operators, "`forgive` says {forgiven}");
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
            "{} settles and {} buries {id}, {} redrives and {} purges {letter:?}, at once",
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
            let counts = counts.map_err(failed(Promise::Counts))?;
            require!(counts.is_balanced(), Counts, "the counts are not balanced: {counts:?}");
        }
        let done = (late.is_empty(), buried);
        // If no settlement counts, it may still be pending, or not.
        let expected = [(may_settle, 0), (false, 1)];
        require!(expected.contains(&done), Operators, "{id}: settled and buried are {done:?}");
        if late.is_empty() {
            self.events.deliver(id);
        } else {
            self.events.end_lease(id);
            let removed = self.events.bury_pending(&the_event);
            let expected = removed.len() as u64;
            require!(buried == expected, Operators, "{buried} were buried instead of {expected}");
            removed.iter().for_each(|event| self.note_removal(event, event.is_final));
        }
        self.intercom.arrive(id, &lease.event)?;
        if let Some(which) = the_letter {
            let once = redriven + purged == 1;
            require!(once, Operators, "{letter:?}: {redriven} redriven, and {purged} purged");
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
