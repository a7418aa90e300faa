//! The events that were accepted last, to be leased without being read from the file again.
//!
//! They come here once they are safe, and what is here is in the file too. It is only worth something while events
//! leave as quickly as they come: when they do not, the file is where they wait.

use std::collections::VecDeque;

use crate::store::pending::Stored;

/// How many events may be here, and how many bytes of their bodies.
const MOST: (usize, i64) = (8192, 4 << 20);

pub(super) struct Recent {
    events: VecDeque<Stored>,
    bytes: i64,
    /// All events after this id are here, in the order of their ids.
    after: i64,
}

impl Recent {
    /// None, where this is the newest event.
    pub(super) fn after(newest: i64) -> Self {
        Recent { events: VecDeque::new(), bytes: 0, after: newest }
    }

    /// An event was accepted, and is safe.
    pub(super) fn push(&mut self, event: Stored) {
        let size = event.brief().bytes;
        if self.events.len() >= MOST.0 || self.bytes + size > MOST.1 {
            *self = Recent::after(event.id);
            return;
        }
        self.bytes += size;
        self.events.push_back(event);
    }

    /// Whether all events after this id are here. Others are not, from now on.
    pub(super) fn begins_after(&mut self, id: i64) -> bool {
        while self.events.front().is_some_and(|event| event.id <= id) {
            self.pop();
        }
        self.after <= id
    }

    pub(super) fn first(&self) -> Option<&Stored> {
        self.events.front()
    }

    pub(super) fn pop(&mut self) -> Option<Stored> {
        let event = self.events.pop_front()?;
        self.bytes -= event.brief().bytes;
        self.after = event.id;
        Some(event)
    }
}
