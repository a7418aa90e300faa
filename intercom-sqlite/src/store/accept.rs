//! Accepting events.

use intercom_core::{DataEvent, Timestamp};
use intercom_delivery::OutboxError;
use intercom_delivery::outbox::{AcceptError, Collisions};
use rusqlite::Connection;

use super::books::Books;
use super::fingerprint::fingerprint;
use super::fresh::Fresh;
use super::pending::{Content, Stored};
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

/// Accepts all of these events, or none because there is no room. They are taken out of the one list, and added to
/// the other.
pub(crate) fn accept(
    conn: &Connection,
    books: &mut Books,
    fresh: &mut Fresh,
    events: &mut Vec<Incoming>,
    collisions: Collisions,
    now: Millis,
    accepted: &mut Vec<Stored>,
) -> Result<(), Refused> {
    let bytes = events.iter().map(|incoming| incoming.event.body().len()).sum();
    books.admit(events.len(), bytes).map_err(Refused::These)?;
    fresh.ready(conn, books)?;
    let memory = books.memory(now);
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_events (id, created_at, accepted_at, fingerprint, body) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for Incoming { mut event, fingerprint } in events.drain(..) {
        let id = books.newest + 1;
        let mut second = event.created_at().unix_seconds();
        if fresh.contains(conn, second, fingerprint)?
            || seconds::taken(conn, memory, second, fingerprint)?
        {
            // Where to go is for those that are filed to say.
            fresh.file(conn, books)?;
            match seconds::place(conn, memory, second, fingerprint, collisions)? {
                Place::Free => {}
                Place::Moved(to) => {
                    books.moved += 1;
                    second = to;
                    event = event.moved_to(Timestamp::from_unix_seconds(to));
                }
                Place::Collides => books.collided += 1,
            }
            fresh.filed(books, id);
        } else {
            fresh.note(conn, books, id, second, fingerprint)?;
        }
        // It was found to be text before.
        let body = str::from_utf8(event.body()).map_err(rusqlite::Error::from);
        insert.execute((id, second, now, fingerprint, body?))?;
        books.newest = id;
        books.accepted += 1;
        books.pending += 1;
        let content = Content::Event(event);
        let stored = Stored {
            id,
            due: None,
            second,
            accepted: now,
            attempts: 0,
            failure: None,
            fingerprint,
            content,
        };
        books.pending_bytes += stored.brief().bytes;
        accepted.push(stored);
    }
    Ok(())
}
