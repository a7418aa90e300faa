//! Reads, redrives and purges dead letters, from any process.

use intercom_core::rules;
use intercom_delivery::outbox::{DeadLetter, EventId, OutboxError, Selection};
use tokio_postgres::types::Type;

use crate::clock::{Skew, moment};
use crate::error::Fault;
use crate::link::{Link, Param};
use crate::schema::Schema;
use crate::turn::{failure, readable};

pub(crate) struct LettersSql {
    read: String,
    bodies: String,
    redrive: String,
    purge: String,
}

/// The selected letters: 1 a reason or NULL, 2 ids or NULL.
const CHOSEN: &str = "DELETE FROM {schema}.letters
     WHERE ($1::text IS NULL OR reason = $1) AND ($2::bigint[] IS NULL OR id = ANY ($2))";

impl LettersSql {
    pub(crate) fn new(schema: &Schema) -> Self {
        let sql = |template: &str| {
            let channel = schema.events_channel();
            schema.sql(&template.replace("{chosen}", CHOSEN).replace("{events_channel}", &channel))
        };
        LettersSql {
            read: sql("SELECT id, reason, died_at, attempts, last_failure, last_status, \
                 last_request_id, body::text, sensitive FROM {schema}.letters WHERE id > $1 \
                 ORDER BY id LIMIT $2"),
            bodies: sql("SELECT id, body::text FROM {schema}.letters"),
            redrive: sql("WITH chosen AS ({chosen} RETURNING *), moment AS MATERIALIZED (
                     SELECT {schema}.now_millis() + $3 AS now
                 ), redriven AS (
                     INSERT INTO {schema}.events (id, created_at, accepted_at, due_at, stage, \
                                                  origin, body, sensitive)
                     SELECT id, created_at, now, now, CASE WHEN admitted THEN 1 ELSE 2 END, origin, body, \
                            sensitive
                       FROM chosen, moment
                     -- An event that was buried before it was read is still there, to be counted.
                     ON CONFLICT (id) DO UPDATE
                        SET accepted_at = excluded.accepted_at, due_at = excluded.due_at,
                            stage = excluded.stage, attempts = 0, last_failure = NULL,
                            last_status = NULL, last_request_id = NULL, removed = false,
                            body = excluded.body, sensitive = excluded.sensitive
                     RETURNING id
                 ), noted AS (
                     INSERT INTO {schema}.operations (redriven)
                     SELECT count(*) FROM redriven HAVING count(*) > 0
                 )
                 SELECT count(*), pg_notify('{events_channel}', '')::text FROM redriven"),
            purge: sql("WITH chosen AS ({chosen} RETURNING id), noted AS (
                     INSERT INTO {schema}.operations (purged)
                     SELECT count(*) FROM chosen HAVING count(*) > 0
                 )
                 SELECT count(*) FROM chosen"),
        }
    }
}

/// Reads dead letters in the order of their ids, beginning after this one.
pub(crate) async fn read(
    link: &Link,
    sql: &LettersSql,
    after: Option<EventId>,
    limit: usize,
) -> Result<Vec<DeadLetter>, OutboxError> {
    let after = after.map_or(-1, |id| i64::try_from(id.get()).unwrap_or(i64::MAX));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = link.read(&sql.read, &[(&after, Type::INT8), (&limit, Type::INT8)]).await;
    let mut letters = Vec::new();
    for row in rows.map_err(|fault| fault.to_error())? {
        let id = EventId::new(row.get::<_, i64>(0).unsigned_abs());
        let reason: &str = row.get(1);
        let Ok(reason) = reason.parse() else {
            tracing::error!(event.id = id.get(), reason, "a dead letter has an unknown reason");
            continue;
        };
        let Some(event) = readable(id, row.get(7), row.get(8)) else { continue };
        let letter = DeadLetter::new(id, event, reason, moment(row.get(2)))
            .with_failure(failure(&row, 4))
            .with_attempts(u32::try_from(row.get::<_, i64>(3)).unwrap_or(u32::MAX));
        letters.push(letter);
    }
    Ok(letters)
}

/// Makes dead letters pending again, due now. Returns their number.
pub(crate) async fn redrive(
    link: &Link,
    sql: &LettersSql,
    which: &Selection,
    skew: &Skew,
) -> Result<u64, OutboxError> {
    change(link, sql, &sql.redrive, which, &[(&skew.millis(), Type::INT8)]).await
}

/// Deletes dead letters for good. Returns their number.
pub(crate) async fn purge(
    link: &Link,
    sql: &LettersSql,
    which: &Selection,
) -> Result<u64, OutboxError> {
    change(link, sql, &sql.purge, which, &[]).await
}

async fn change(
    link: &Link,
    sql: &LettersSql,
    statement: &str,
    which: &Selection,
    more: &[Param<'_>],
) -> Result<u64, OutboxError> {
    let (reason, ids) = match which {
        Selection::All => (None, None),
        Selection::Reason(reason) => (Some(reason.as_str()), None),
        Selection::One(id) => (None, Some(vec![i64::try_from(id.get()).unwrap_or(i64::MAX)])),
        Selection::Name(name) => (None, Some(of_name(link, sql, name).await?)),
        // A selection that this version does not know must not select all letters.
        _ => return Ok(0),
    };
    let chosen: &[Param<'_>] = &[(&reason, Type::TEXT), (&ids, Type::INT8_ARRAY)];
    let rows = link.query(statement, &[chosen, more].concat()).await;
    let rows = rows.map_err(|fault: Fault| fault.to_error())?;
    Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
}

/// Finds the dead letters with this event name. Compares names here, because PostgreSQL folds case
/// by its locale.
async fn of_name(link: &Link, sql: &LettersSql, name: &str) -> Result<Vec<i64>, OutboxError> {
    let name = rules::fold(name);
    let rows = link.read(&sql.bodies, &[]).await.map_err(|fault| fault.to_error())?;
    let is_chosen = |row: &&tokio_postgres::Row| {
        let id = EventId::new(row.get::<_, i64>(0).unsigned_abs());
        readable(id, row.get(1), None).is_some_and(|event| rules::fold(event.event_name()) == name)
    };
    Ok(rows.iter().filter(is_chosen).map(|row| row.get(0)).collect())
}
