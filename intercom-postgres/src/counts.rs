//! Counts where events are, in one snapshot.

use intercom_delivery::outbox::{Counts, EventId};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::clock::{Skew, until};
use crate::error::Fault;
use crate::link::Link;
use crate::own;
use crate::schema::Schema;

pub(crate) struct CountsSql {
    counts: String,
    /// A transaction that begins now.
    transaction: &'static str,
    history: String,
}

impl CountsSql {
    pub(crate) fn new(schema: &Schema) -> Self {
        CountsSql {
            counts: schema.sql(COUNTS).replace("{last_id}", &schema.last_id()),
            transaction: "SELECT pg_current_xact_id()::text::bigint",
            history: schema.sql("SELECT {schema}.history()"),
        }
    }
}

/// 1: the id after which to search for events of this process, 2: this process, 3: the number of
/// redriven letters at the last search.
const COUNTS: &str = "
SELECT far.read + unread - far.derived, far.delivered, done.dead, done.purged,
       far.moved, far.collided, done.redriven,
       greatest(far.cursor, (SELECT id FROM {schema}.events WHERE id > far.cursor
                              ORDER BY id DESC LIMIT 1)),
       ({last_id}),
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
       (SELECT id FROM {schema}.events WHERE $1 >= 0 AND id > $1 AND origin = $2 AND NOT removed
         ORDER BY id LIMIT 1),
       CASE WHEN $1 >= 0 AND $3 <> done.redriven THEN
           (SELECT min(id) FROM {schema}.events WHERE due_at IS NOT NULL AND origin = $2) END,
       far.derived, far.withheld, far.dropped, done.erased, {schema}.history(),
       (SELECT {schema}.now_millis() - accepted_at FROM {schema}.events
         WHERE NOT removed AND id >= fresh.lowest ORDER BY id LIMIT 1)
  FROM (SELECT * FROM {schema}.progress ORDER BY n DESC LIMIT 1) AS far,
       LATERAL (SELECT far.redriven + coalesce(sum(redriven), 0)::bigint AS redriven,
                       far.purged + coalesce(sum(purged), 0)::bigint AS purged,
                       far.buried - far.redriven - far.erased_letters
                       + coalesce(sum(buried - redriven - erased_letters), 0)::bigint AS dead,
                       far.erased + coalesce(sum(erased), 0)::bigint AS erased
                  FROM {schema}.operations) AS done,
       LATERAL (SELECT {schema}.number_between(far.gap_from || far.cursor + 1,
                                               far.gap_to || 9223372036854775807) AS unread,
                       -- Without events that were put back, none below is pending. A search from the
                       -- first id would read all deleted rows that no vacuum has removed.
                       CASE WHEN (SELECT due_at FROM {schema}.events WHERE due_at IS NOT NULL
                                   ORDER BY due_at LIMIT 1) IS NULL
                            THEN least(far.low, (SELECT min(f) FROM unnest(far.gap_from) AS f))
                            ELSE 0 END AS lowest) AS fresh";

/// Finds the oldest pending event of this process.
///
/// It reads the events of other processes only about once, because it remembers its position. It
/// passes an id only when no event with it can become visible any more. After a failover the server
/// may assign ids again, so the search restarts at the first id.
pub(crate) struct OldestOwn {
    /// The store's history to which this position belongs.
    history: String,
    passed: Option<i64>,
    /// The last assigned id, and a transaction that began later. Once all earlier transactions have
    /// ended, no event up to that id can become visible.
    horizon: Option<(i64, i64)>,
    redriven: i64,
}

/// Counts. With `own`, also finds the oldest pending event of this process.
pub(crate) async fn counts(
    link: &Link,
    sql: &CountsSql,
    mut own: Option<&mut OldestOwn>,
    skew: &Skew,
) -> Result<Counts, Fault> {
    let (row, passed) = loop {
        let lowest = own::lowest().map(|lowest| lowest - 1);
        let passed = own.as_ref().and_then(|own| own.passed.or(lowest));
        let known = own.as_ref().map_or(0, |own| own.redriven);
        let (after, origin, redriven) = (passed.unwrap_or(-1), own::origin(), known);
        let params = [&after, &origin, &redriven].map(|number| (number as _, Type::INT8));
        let row = link.query_one(&sql.counts, &params).await?;
        let history: String = row.get(16);
        match own.as_deref_mut().filter(|own| own.history != history) {
            Some(own) => *own = OldestOwn { passed: Some(0), ..OldestOwn::new(history) },
            None => break (row, passed),
        }
    };
    let newest: i64 = row.get(7);
    let mut oldest_own = None;
    if let (Some(passed), Some(own)) = (passed, own) {
        let (found, redriven): (Option<i64>, Option<i64>) = (row.get(10), row.get(11));
        let before = redriven.filter(|id| *id <= passed);
        own.redriven = row.get(6);
        oldest_own = [found, before].into_iter().flatten().min();
        own.passed = Some(before.map_or(passed, |id| id - 1));
        if before.is_none() {
            own.pass(link, sql, &row, found.map_or(newest, |id| id - 1)).await?;
        }
    }
    Ok(numbers(&row, newest, oldest_own, skew))
}

/// Returns the present history of the store.
pub(crate) async fn history(link: &Link, sql: &CountsSql) -> Result<String, Fault> {
    Ok(link.query_one(&sql.history, &[]).await?.get(0))
}

impl OldestOwn {
    pub(crate) fn new(history: String) -> Self {
        OldestOwn { history, passed: None, horizon: None, redriven: 0 }
    }

    /// Passes ids up to this one, if no event with a lower id can become visible.
    async fn pass(
        &mut self,
        link: &Link,
        sql: &CountsSql,
        row: &Row,
        up_to: i64,
    ) -> Result<(), Fault> {
        let (allocated, oldest): (i64, i64) = (row.get(8), row.get(9));
        let is_over = |transaction: i64| oldest > transaction;
        if let Some((id, _)) = self.horizon.take_if(|(_, transaction)| is_over(*transaction)) {
            self.passed = self.passed.max(Some(up_to.min(id)));
        }
        if self.horizon.is_none() && self.passed < Some(allocated) {
            let transaction = link.query_one(sql.transaction, &[]).await?.get(0);
            self.horizon = Some((allocated, transaction));
        }
        Ok(())
    }
}

fn numbers(row: &Row, newest: i64, oldest_own: Option<i64>, skew: &Skew) -> Counts {
    let [accepted, delivered, dead, purged, moved, collided, derived, withheld, dropped, erased] =
        [0, 1, 2, 3, 4, 5, 12, 13, 14, 15].map(|column| row.get::<_, i64>(column));
    let pending = accepted + derived - delivered - dead - withheld - dropped - erased;
    // An operator may have changed a row by hand.
    let positive = |number: i64| u64::try_from(number).unwrap_or_default();
    let mut counts = Counts::default();
    counts.accepted = positive(accepted);
    counts.delivered = positive(delivered);
    counts.dead = positive(dead);
    counts.pending = positive(pending);
    counts.derived = positive(derived);
    counts.withheld = positive(withheld);
    counts.dropped = positive(dropped);
    counts.erased = positive(erased);
    counts.dead_letters = positive(dead - purged);
    counts.purged = positive(purged);
    counts.moved = positive(moved);
    counts.collided = positive(collided);
    counts.newest = (newest > 0).then(|| EventId::new(positive(newest)));
    counts.oldest_own = oldest_own.map(|id| EventId::new(positive(id)));
    counts.oldest_pending = row.get::<_, Option<i64>>(17).map(|age| until(0, age + skew.millis()));
    counts
}
