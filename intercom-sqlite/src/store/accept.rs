//! Accepting events.

use std::borrow::Cow;

use intercom_core::{DataEvent, Timestamp};
use intercom_delivery::OutboxError;
use intercom_delivery::outbox::{AcceptError, Collisions};
use rusqlite::Connection;

use super::books::Books;
use super::fingerprint::fingerprint;
use super::seconds::{self, Place};
use crate::clock::Millis;

/// An event with what can be known of it before the transaction, in the thread of who offers it.
pub(crate) struct Incoming {
    event: DataEvent,
    fingerprint: i64,
}

impl Incoming {
    /// # Errors
    ///
    /// Fails where the body is not text, which no event's is.
    pub(crate) fn new(event: DataEvent) -> Result<Self, AcceptError> {
        if str::from_utf8(event.body()).is_err() {
            let error = OutboxError::new("the body of an event is not UTF-8, and cannot be stored");
            return Err(error.into());
        }
        let fingerprint = fingerprint(&event);
        Ok(Incoming { event, fingerprint })
    }

    pub(crate) fn all(events: &[DataEvent]) -> Result<Vec<Self>, AcceptError> {
        events.iter().cloned().map(Incoming::new).collect()
    }
}

/// Why events were not accepted: by themselves, or because the whole transaction cannot go on.
pub(crate) enum Refused {
    These(AcceptError),
    All(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Refused::All(error)
    }
}

/// Accepts all of these events, or none because there is no room.
pub(crate) fn accept(
    conn: &Connection,
    books: &mut Books,
    events: &[Incoming],
    collisions: Collisions,
    now: Millis,
) -> Result<(), Refused> {
    let bytes = events.iter().map(|incoming| incoming.event.body().len()).sum();
    books.admit(events.len(), bytes).map_err(Refused::These)?;
    let memory = books.memory(now);
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_events (id, created_at, accepted_at, fingerprint, body) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for Incoming { event, fingerprint } in events {
        let mut second = event.created_at().unix_seconds();
        let mut event = Cow::Borrowed(event);
        match seconds::place(conn, memory, second, *fingerprint, collisions)? {
            Place::Free => {}
            Place::Moved(to) => {
                books.moved += 1;
                second = to;
                event = Cow::Owned(event.moved_to(Timestamp::from_unix_seconds(to)));
            }
            Place::Collides => books.collided += 1,
        }
        // It was found to be text before.
        let body = str::from_utf8(event.body()).map_err(rusqlite::Error::from);
        let id = books.newest + 1;
        insert.execute((id, second, now, *fingerprint, body?))?;
        books.newest = id;
        books.accepted += 1;
        books.pending += 1;
        books.pending_bytes += size(&event);
    }
    Ok(())
}

fn size(event: &DataEvent) -> i64 {
    i64::try_from(event.body().len()).unwrap_or(i64::MAX)
}
