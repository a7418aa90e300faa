//! A model of Intercom: which event has which slot, and what each attempt sent.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use intercom_core::DataEvent;

use super::{Verified, require};
use crate::outbox::{EventId, Slot};

/// What Intercom has, and what is still under way to it.
#[derive(Default)]
pub(super) struct Intercom {
    taken: HashMap<Slot, EventId>,
    /// What the first attempt of each event sent.
    sent: HashMap<EventId, Bytes>,
    /// Events that may have arrived.
    perhaps: HashSet<EventId>,
    /// Events that admission let keep a taken second.
    collided: HashSet<EventId>,
    /// Events whose slots may be given to others: an operator removed them while an attempt may have
    /// reached Intercom, or redrove them after the window, or they were accepted after the window.
    removed: HashSet<EventId>,
    /// Requests of processes that were killed, deposed or stopped. They may arrive yet.
    under_way: Vec<(EventId, DataEvent)>,
}

impl Intercom {
    /// Notes that an attempt began.
    pub(super) fn begin(&mut self, id: EventId, event: &DataEvent) -> Verified {
        let body = event.body();
        let first = self.sent.entry(id).or_insert_with(|| body.clone());
        // An older lease may be at hand still, with other bytes than after the redrive.
        let is_same = first == body || self.removed.contains(&id);
        require!(
            is_same,
            SameBytes,
            "the engine sent the event {id} as {first:?} before, and sends it as {body:?} now; all \
             attempts of an event must send the same bytes"
        );
        Ok(())
    }

    /// Notes that an event begins anew, which Intercom does not have. It may get another second.
    pub(super) fn readmit(&mut self, id: EventId) {
        self.sent.remove(&id);
    }

    /// An event comes to Intercom, which ignores it if another one has its slot.
    pub(super) fn arrive(&mut self, id: EventId, event: &DataEvent) -> Verified {
        self.perhaps.insert(id);
        let first = *self.taken.entry(Slot::of(event)).or_insert(id);
        let is_known = |id| self.collided.contains(id) || self.removed.contains(id);
        require!(
            first == id || is_known(&id) || is_known(&first),
            Collisions,
            "Intercom ignores the event {id}, because it has the event {first} of the same contact, \
             name and second; the engine must move one of two such events"
        );
        Ok(())
    }

    /// Nobody knows what became of this request.
    pub(super) fn lose(&mut self, id: EventId, event: DataEvent) {
        self.perhaps.insert(id);
        self.under_way.push((id, event));
    }

    /// The request with this number arrives, counted round.
    pub(super) fn arrive_late(&mut self, number: usize) -> Verified {
        let Some(index) = number.checked_rem(self.under_way.len()) else { return Ok(()) };
        let (id, event) = self.under_way.swap_remove(index);
        self.arrive(id, &event)
    }

    /// Whether Intercom may have it already.
    pub(super) fn may_have(&self, id: EventId) -> bool {
        self.perhaps.contains(&id)
    }

    pub(super) fn note_attempt(&mut self, id: EventId) {
        self.perhaps.insert(id);
    }

    /// Notes that the slot of an event may be given to another.
    pub(super) fn remove(&mut self, id: EventId) {
        self.removed.insert(id);
    }

    pub(super) fn note_collision(&mut self, id: EventId) {
        self.collided.insert(id);
    }

    pub(super) fn collisions(&self) -> u64 {
        self.collided.len() as u64
    }
}
