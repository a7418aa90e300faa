//! The row of counts. Each transaction reads it, and writes its changes back.

use std::time::Duration;

use intercom_delivery::outbox::{AcceptError, Counts, Epoch, EventId, Standby};
use rusqlite::{Connection, params};

use crate::clock::{Millis, moment};
use crate::open::lock::Generation;

/// Builds the row from its columns: counts, and columns that other code writes.
macro_rules! row {
    (
        counted { $($(#[$doc:meta])* $counted:ident: $type:ty,)+ }
        elsewhere { $($fixed:ident: $fixed_type:ty),+ }
    ) => {
        /// The only row of `outbox_counts`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct CountsRow {
            $($(#[$doc])* pub(crate) $counted: $type,)+
            $($fixed: $fixed_type,)+
        }

        impl CountsRow {
            pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
                let mut select = conn.prepare_cached(concat!(
                    "SELECT ", $(stringify!($counted), ", ",)+ $(stringify!($fixed), ", ",)+
                    "1 FROM outbox_counts"
                ))?;
                let mut columns = 0..;
                let mut next = || columns.next().unwrap_or_default();
                select.query_row([], |row| {
                    Ok(CountsRow {
                        $($counted: row.get::<usize, _>(next())?,)+
                        $($fixed: row.get::<usize, _>(next())?,)+
                    })
                })
            }

            /// Writes the counts.
            pub(crate) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
                let mut update = conn.prepare_cached(concat!(
                    "UPDATE outbox_counts SET (", $(stringify!($counted), ", ",)+
                    "only_row) = (", $(row!(@parameter $counted), ", ",)+ "1)"
                ))?;
                update.execute(params![$(self.$counted),+]).map(drop)
            }
        }
    };
    (@parameter $counted:ident) => { "?" };
}

row! {
    counted {
        accepted: i64,
        delivered: i64,
        dead: i64,
        pending: i64,
        pending_bytes: i64,
        dead_letters: i64,
        redriven: i64,
        moved: i64,
        collided: i64,
        derived: i64,
        withheld: i64,
        dropped: i64,
        erased: i64,
        /// The version of the tombstones.
        erasures: i64,
        newest: i64,
        /// A lower bound of the seconds of unadmitted events. Accepting lowers it, and the engine's
        /// process raises it now and then. An index would cost a tenth of the work on an event: 2.2
        /// instead of 1.6 µs of CPU to accept.
        earliest_new: Option<i64>,
    }
    elsewhere { capacity: Option<i64>, max_bytes: Option<i64>, epoch: i64 }
}

impl CountsRow {
    /// Fails when these events do not fit now, or can never fit.
    pub(crate) fn expect_room(&self, events: usize, bytes: usize) -> Result<(), AcceptError> {
        let [events, bytes] = [events, bytes].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let capacity = self.capacity.unwrap_or(i64::MAX);
        let max_bytes = self.max_bytes.unwrap_or(i64::MAX);
        if events > capacity || bytes > max_bytes {
            return Err(AcceptError::ExceedsCapacity);
        }
        // Redriven letters may exceed the limit.
        let has_room = events <= capacity.saturating_sub(self.pending)
            && bytes <= max_bytes.saturating_sub(self.pending_bytes);
        if has_room { Ok(()) } else { Err(AcceptError::Full) }
    }

    /// Returns the file's generation.
    pub(crate) fn generation(&self) -> Generation {
        Generation([self.epoch, self.accepted, self.delivered])
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(positive(self.epoch))
    }

    /// Returns the number of pending events.
    pub(crate) fn pending(&self) -> u64 {
        positive(self.pending)
    }

    /// Returns the counts, with the oldest event of this process.
    pub(crate) fn counts(
        &self,
        oldest_own: Option<i64>,
        oldest_pending: Option<Duration>,
    ) -> Counts {
        let mut counts = Counts::default();
        counts.accepted = positive(self.accepted);
        counts.derived = positive(self.derived);
        counts.delivered = positive(self.delivered);
        counts.dead = positive(self.dead);
        counts.pending = positive(self.pending);
        counts.withheld = positive(self.withheld);
        counts.dropped = positive(self.dropped);
        counts.erased = positive(self.erased);
        counts.dead_letters = positive(self.dead_letters);
        counts.purged = positive(self.dead - self.dead_letters);
        counts.moved = positive(self.moved);
        counts.collided = positive(self.collided);
        counts.newest = (self.newest > 0).then(|| EventId::new(positive(self.newest)));
        counts.oldest_own = oldest_own.map(|id| EventId::new(positive(id)));
        counts.oldest_pending = oldest_pending;
        counts
    }
}

/// Begins the epoch of an engine in this process, later than any in this generation. Returns the
/// epoch.
pub(crate) fn begin_epoch(
    conn: &Connection,
    Generation([noted, ..]): Generation,
    now: Millis,
) -> rusqlite::Result<Epoch> {
    let deliverer = format!("process {}", std::process::id());
    let epoch = conn.query_row(
        "UPDATE outbox_counts SET epoch = max(epoch, ?3) + 1, deliverer = ?1, \
         delivering_since = ?2 RETURNING epoch",
        (deliverer, now, noted),
        |row| row.get(0),
    )?;
    Ok(Epoch::new(positive(epoch)))
}

/// Records that no engine delivers.
pub(crate) fn release(conn: &Connection) -> rusqlite::Result<()> {
    let clear = "UPDATE outbox_counts SET deliverer = NULL, delivering_since = NULL";
    conn.execute(clear, []).map(drop)
}

/// Returns the engine that delivers, unless it has released.
pub(crate) fn deliverer(conn: &Connection) -> rusqlite::Result<Option<Standby>> {
    let mut select =
        conn.prepare_cached("SELECT epoch, deliverer, delivering_since FROM outbox_counts")?;
    select.query_row([], |row| {
        let epoch = Epoch::new(positive(row.get(0)?));
        let deliverer: Option<String> = row.get(1)?;
        let since = moment(row.get::<_, Option<Millis>>(2)?.unwrap_or_default());
        Ok(deliverer.map(|deliverer| Standby::new(epoch, deliverer, since)))
    })
}

/// A person may have changed a count by hand.
fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
