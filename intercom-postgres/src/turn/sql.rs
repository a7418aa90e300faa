//! The statements of the deliverer. Each is its own transaction.
//!
//! Each write is one statement, so a process stopped within it leaves no lock behind: the server
//! completes it without the process. It locks the deliverer's row, compares the epoch, and stores
//! the progress. Under another epoch it changes nothing and returns no row. The same holds after a
//! recovery: the server may have lost what the deliverer has read since its last write, and may
//! assign those ids again.

use super::progress::COLUMNS as PROGRESS;
use crate::link::Prepared;
use crate::schema::Schema;

pub(super) struct Sql {
    pub(super) watch: String,
    pub(super) begin: String,
    pub(super) unlock: String,
    pub(super) progress: String,
    pub(super) given: String,
    pub(super) raise: String,
    pub(super) held: String,
    pub(super) used: String,
    pub(super) dead: String,
    pub(super) lease: Prepared,
    pub(super) rest: String,
    pub(super) store: String,
    pub(super) admit: String,
    pub(super) settle: Prepared,
    pub(super) release: String,
    pub(super) bury: String,
    pub(super) bodies: String,
    pub(super) all_bodies: String,
    pub(super) erase: String,
    pub(super) forgive: String,
    pub(super) tombstones: String,
}

impl Sql {
    pub(super) fn new(schema: &Schema) -> Self {
        // `last` is the number of the last parameter.
        let sql_with = |template: &str, last: &str| {
            let filled = template
                .replace("{fence}", FENCE)
                .replace("{last}", last)
                .replace("{store}", STORE)
                .replace("{progress}", PROGRESS)
                .replace("{turn_channel}", &schema.turn_channel());
            schema.sql(&filled)
        };
        let sql = |template: &str| sql_with(template, "");
        Sql {
            watch: sql(WATCH),
            begin: sql("SELECT {schema}.begin_turn($1, $2, $3, $4)"),
            unlock: sql(UNLOCK),
            progress: sql("SELECT {progress} FROM {schema}.progress ORDER BY n DESC LIMIT 1"),
            given: schema.last_id(),
            raise: sql(RAISE),
            held: sql(HELD),
            used: sql(USED),
            dead: sql("SELECT body::text FROM {schema}.letters WHERE admitted"),
            lease: Prepared(sql(LEASE)),
            rest: sql(REST),
            store: sql_with("WITH {fence}, {store} SELECT {done} FROM stored", "$21")
                .replace("{done}", DONE),
            admit: sql_with(ADMIT, "$34").replace("{done}", DONE),
            settle: Prepared(sql(SETTLE)),
            release: sql_with(RELEASE, "$21"),
            bury: sql("SELECT {schema}.bury($1, $2, $3)"),
            all_bodies: sql("SELECT id, body::text FROM {schema}.events WHERE NOT removed \
                 UNION ALL SELECT id, body::text FROM {schema}.letters"),
            erase: sql("SELECT ids, erased_letters, version FROM {schema}.erase($1, $2, $3)"),
            forgive: sql(FORGIVE),
            tombstones: sql("SELECT tombstone_key, erasures, \
                        ARRAY(SELECT tombstone FROM {schema}.tombstones) FROM {schema}.settings"),
            bodies: sql("SELECT id, body::text FROM {schema}.events WHERE NOT removed"),
        }
    }
}

/// Returns a row only under the present epoch, and in the history in which the turn began.
const FENCE: &str = "fence AS MATERIALIZED (
    SELECT 1 AS one FROM {schema}.deliverer WHERE epoch = $2 AND {schema}.history() = {last} FOR UPDATE
)";

/// Stores the progress of the first twenty parameters.
const STORE: &str = "replaced AS (
    DELETE FROM {schema}.progress USING fence WHERE n = $1 - 1
), stored AS (
    INSERT INTO {schema}.progress ({progress})
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
           $20 FROM fence
    RETURNING n
)";

/// A transaction that begins after all earlier reads.
const DONE: &str = "pg_current_xact_id()::text::bigint";

const WATCH: &str = "
SELECT who.epoch, who.owner, who.since, who.released,
       (SELECT n FROM {schema}.progress ORDER BY n DESC LIMIT 1) AS n, {schema}.history()
  FROM {schema}.deliverer AS who";

/// Replaces the epoch `$1`, which began at `$2`, by the epoch `$3`.
const RAISE: &str = "
UPDATE {schema}.deliverer SET epoch = $3 WHERE epoch = $1 AND since = $2 RETURNING epoch";

/// Ends the session that locks the deliverer's row, because its process is stopped within a
/// statement.
const UNLOCK: &str = "
SELECT pg_terminate_backend(lock.pid)
  FROM pg_locks AS lock
 WHERE lock.locktype = 'transactionid' AND lock.granted
   AND lock.transactionid = (SELECT xmax FROM {schema}.deliverer)";

/// The bodies of events with held slots.
const HELD: &str = "
SELECT body::text FROM {schema}.events WHERE stage = 1";

/// The kept slots.
const USED: &str = "
SELECT keep_until, key, second FROM {schema}.used_slots, unnest(keys, seconds) AS slot (key, second)";

/// Reads on. In another history than `$9` there is no first row.
///
/// - 1 and 2: the gaps
/// - 3: the cursor
/// - 4: the last id
/// - 5: the number of events
/// - 6: the present time
/// - 7: the leased events that were put back before
/// - 8: whether an earlier turn has read these events
/// - 9: the history in which the turn began
const LEASE: &str = "SELECT * FROM {schema}.lease($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Counts the unread events: 1 and 2 the gaps, 3 the cursor.
const REST: &str = "
SELECT {schema}.number_between($1, $2) + count(*), min(created_at)
  FROM (SELECT created_at FROM {schema}.events WHERE id > $3 ORDER BY id OFFSET 0) AS unread";

/// Stores admissions.
///
/// - 21 to 28: ids, kinds, whether moved, whether collided, seconds, bodies, sensitive keys, delays
/// - 29 to 32: derived events, by causes, seconds, bodies, sensitive keys
/// - 33: the test's skew
/// - 34: the history
///
/// A kind is 0 to keep, 1 to replace, 2 to defer, 3 to withhold, 4 to drop. The update returns the
/// present rows, and only those count.
const ADMIT: &str = "
WITH {fence}, moment AS MATERIALIZED (
    SELECT greatest($19, {schema}.now_millis()) + $33 AS now FROM fence
), ruling AS MATERIALIZED (
    SELECT new.*
      FROM fence, unnest($21, $22, $23, $24, $25, $26, $27, $28)
           AS new (id, kind, moved, collided, second, body, keys, delay)
), admitted AS (
    UPDATE {schema}.events AS event
       SET stage = CASE WHEN ruling.kind < 2 THEN 1 ELSE event.stage END,
           due_at = CASE WHEN ruling.kind = 2 THEN moment.now + ruling.delay ELSE event.due_at END,
           created_at = coalesce(ruling.second, event.created_at),
           body = coalesce(ruling.body::json, event.body),
           sensitive = CASE WHEN ruling.body IS NULL THEN event.sensitive
                            ELSE {schema}.key_names(ruling.keys::json) END
      FROM ruling, moment
     WHERE event.id = ruling.id AND ruling.kind < 3 AND NOT event.removed
    RETURNING event.id, event.origin, ruling.kind, ruling.moved, ruling.collided
), ended AS (
    DELETE FROM {schema}.events AS event USING ruling
     WHERE event.id = ruling.id AND ruling.kind >= 3 AND NOT event.removed
    RETURNING event.id, event.origin, ruling.kind, ruling.moved, ruling.collided
), done AS (
    SELECT * FROM admitted UNION ALL SELECT * FROM ended
), derived AS (
    INSERT INTO {schema}.events (created_at, accepted_at, stage, origin, body, sensitive)
    SELECT new.second, moment.now, 3, done.origin, new.body::json, {schema}.key_names(new.keys::json)
      FROM moment, done,
           unnest($29, $30, $31, $32) WITH ORDINALITY AS new (cause, second, body, keys, place)
     WHERE new.cause = done.id
     ORDER BY new.place
    RETURNING id
), replaced AS (
    DELETE FROM {schema}.progress USING fence WHERE n = $1 - 1
), stored AS (
    INSERT INTO {schema}.progress ({progress})
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
           $12 + (SELECT count(*) FROM derived),
           $13 + (SELECT count(*) FROM done WHERE kind = 3),
           $14 + (SELECT count(*) FROM done WHERE kind = 4), $15, $16,
           $17 + (SELECT count(*) FROM done WHERE moved),
           $18 + (SELECT count(*) FROM done WHERE collided), $19, $20
      FROM fence
    RETURNING n, derived, withheld, dropped, moved, collided
)
SELECT {done}, derived, withheld, dropped, moved, collided, ARRAY(SELECT id FROM done) FROM stored";

/// Stores settlements.
///
/// - 21: the ids of delivered events
/// - 22 to 28: buried events, by ids, reasons, attempts, failures, statuses, request ids, and
///   whether an attempt may have arrived
/// - 29 to 34: events put back, by ids, delays, attempts, failures, statuses, request ids
/// - 35: the test's skew
/// - 36 to 39: slots, by ids, times, keys, seconds
/// - 40 and 41: delete slots from the first time until before the second
/// - 42: the history
const SETTLE: &str = "
SELECT delivered, buried, transaction, present FROM {schema}.settle(
    ROW($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)::{schema}.progress,
    $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42)";

const FORGIVE: &str = "
WITH gone AS (
    DELETE FROM {schema}.tombstones WHERE tombstone = ANY ($1) RETURNING tombstone
), noted AS (
    UPDATE {schema}.settings SET erasures = erasures + 1 WHERE EXISTS (SELECT FROM gone)
)
SELECT count(*) FROM gone";

const RELEASE: &str = "
WITH {fence}, {store}, released AS (
    UPDATE {schema}.deliverer SET released = true FROM fence WHERE epoch = $2 RETURNING epoch
)
SELECT pg_notify('{turn_channel}', '') FROM stored, released";
