//! Accepts events, and finds the events of this process.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, OutboxError};
use rusqlite::{Connection, OptionalExtension};

use super::counts::CountsRow;
use super::pending::{sensitive, stage};
use crate::clock::Millis;

/// The stored form of an event. The caller's thread builds it, because the writer's is the busy
/// one.
pub(crate) struct NewEvent {
    second: i64,
    body: String,
    sensitive: Option<String>,
}

impl NewEvent {
    /// # Errors
    ///
    /// Fails when a body is not UTF-8, which no event's is.
    pub(crate) fn all(events: &[DataEvent]) -> Result<Vec<Self>, OutboxError> {
        let of = |event: &DataEvent| {
            let body = str::from_utf8(event.body()).map_err(|_| {
                OutboxError::new("the body of an event is not UTF-8, and cannot be stored")
            })?;
            let second = event.created_at().unix_seconds();
            Ok(NewEvent { second, body: body.to_owned(), sensitive: sensitive(event) })
        };
        events.iter().map(of).collect()
    }
}

/// Accepts all of these events, or none if they do not fit.
pub(crate) fn accept(
    conn: &Connection,
    counts: &mut CountsRow,
    events: &[NewEvent],
    now: Millis,
) -> rusqlite::Result<Result<(), AcceptError>> {
    let bytes = events.iter().map(|event| event.body.len()).sum();
    if let Err(full) = counts.expect_room(events.len(), bytes) {
        return Ok(Err(full));
    }
    LOWEST_OWN.fetch_min(counts.newest + 1, Ordering::Relaxed);
    insert(conn, counts, events, stage::NEW, origin(), now)?;
    counts.accepted += i64::try_from(events.len()).unwrap_or(i64::MAX);
    Ok(Ok(()))
}

/// Adds the events that rules derive, for the process that accepted their cause.
pub(crate) fn derive(
    conn: &Connection,
    counts: &mut CountsRow,
    cause: i64,
    events: &[NewEvent],
    now: Millis,
) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached("SELECT origin FROM outbox_events WHERE id = ?1")?;
    let origin = select.query_row([cause], |row| row.get(0))?;
    insert(conn, counts, events, stage::DERIVED, origin, now)?;
    counts.derived += i64::try_from(events.len()).unwrap_or(i64::MAX);
    Ok(())
}

fn insert(
    conn: &Connection,
    counts: &mut CountsRow,
    events: &[NewEvent],
    stage: i64,
    origin: i64,
    now: Millis,
) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_events (id, created_at, accepted_at, admitted, origin, body, \
         sensitive) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for NewEvent { second, body, sensitive } in events {
        counts.newest += 1;
        insert.execute((counts.newest, second, now, stage, origin, body, sensitive))?;
        counts.pending += 1;
        counts.pending_bytes += i64::try_from(body.len()).unwrap_or(i64::MAX);
    }
    let seconds = events.iter().map(|event| event.second);
    counts.earliest_new = counts.earliest_new.into_iter().chain(seconds).min();
    Ok(())
}

/// Returns a random number that identifies this process.
fn origin() -> i64 {
    static ORIGIN: OnceLock<i64> = OnceLock::new();
    *ORIGIN.get_or_init(|| {
        // The standard library's only source of randomness.
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(process::id());
        hasher.finish().cast_signed()
    })
}

/// No event of this process has a lower id, in whatever file.
static LOWEST_OWN: AtomicI64 = AtomicI64::new(i64::MAX);

/// Finds the lowest id among the pending events that this process accepted.
///
/// It reads each pending row at most once, because it remembers its position.
pub(crate) struct OldestOwn {
    /// No own event has an id up to this, unless it was redriven.
    passed: i64,
    /// The number of redriven events at the last search.
    redriven: i64,
}

impl OldestOwn {
    /// Starts from these counts.
    pub(crate) fn new(counts: &CountsRow) -> Self {
        let first = LOWEST_OWN.load(Ordering::Relaxed).saturating_sub(1);
        OldestOwn { passed: first.min(counts.newest), redriven: counts.redriven }
    }

    /// Searches. The counts belong to the same snapshot.
    pub(crate) fn find(
        &mut self,
        conn: &Connection,
        counts: &CountsRow,
    ) -> rusqlite::Result<Option<i64>> {
        if self.redriven != counts.redriven {
            // A redriven event may have a lower id than the position.
            let mut select = conn.prepare_cached(
                "SELECT min(id) FROM outbox_events INDEXED BY outbox_events_put_back \
                 WHERE due_at IS NOT NULL AND origin = ?1",
            )?;
            let lowest = select.query_row([origin()], |row| row.get::<_, Option<i64>>(0))?;
            self.passed = self.passed.min(lowest.map_or(i64::MAX, |id| id - 1));
            self.redriven = counts.redriven;
        }
        let mut select = conn.prepare_cached(
            "SELECT id FROM outbox_events WHERE id > ?1 AND origin = ?2 ORDER BY id LIMIT 1",
        )?;
        let found = select.query_row([self.passed, origin()], |row| row.get(0)).optional()?;
        self.passed = found.map_or(counts.newest, |id: i64| id - 1);
        Ok(found)
    }
}
