//! The row of counts. Each transaction reads it, and writes it back with whatever it counts.

use intercom_delivery::outbox::{AcceptError, Counts, Epoch, EventId, Standby};
use rusqlite::Connection;

use crate::clock::{Millis, moment};
use crate::open::lock::Generation;

/// The only row of `outbox_counts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountsRow {
    pub(crate) accepted: i64,
    pub(crate) delivered: i64,
    pub(crate) dead: i64,
    pub(crate) pending: i64,
    pub(crate) pending_bytes: i64,
    pub(crate) dead_letters: i64,
    pub(crate) redriven: i64,
    pub(crate) moved: i64,
    pub(crate) collided: i64,
    pub(crate) derived: i64,
    pub(crate) withheld: i64,
    pub(crate) dropped: i64,
    pub(crate) erased: i64,
    /// The version of the tombstones.
    pub(crate) erasures: i64,
    pub(crate) newest: i64,
    /// A lower bound of the seconds of events that were not admitted. Accepting lowers it. The
    /// engine's process raises it now and then, because an index of them would make up a tenth of
    /// the work on an event: 2.2 instead of 1.6 µs of CPU to accept it.
    pub(crate) earliest_new: Option<i64>,
    capacity: Option<i64>,
    max_bytes: Option<i64>,
    epoch: i64,
}

impl CountsRow {
    pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut select = conn.prepare_cached(
            "SELECT accepted, delivered, dead, pending, pending_bytes, dead_letters, redriven, \
             moved, collided, newest, earliest_new, capacity, max_bytes, epoch, \
             derived, withheld, dropped, erased, erasures FROM outbox_counts",
        )?;
        select.query_row([], |row| {
            Ok(CountsRow {
                accepted: row.get(0)?,
                delivered: row.get(1)?,
                dead: row.get(2)?,
                pending: row.get(3)?,
                pending_bytes: row.get(4)?,
                dead_letters: row.get(5)?,
                redriven: row.get(6)?,
                moved: row.get(7)?,
                collided: row.get(8)?,
                newest: row.get(9)?,
                earliest_new: row.get(10)?,
                capacity: row.get(11)?,
                max_bytes: row.get(12)?,
                epoch: row.get(13)?,
                derived: row.get(14)?,
                withheld: row.get(15)?,
                dropped: row.get(16)?,
                erased: row.get(17)?,
                erasures: row.get(18)?,
            })
        })
    }

    /// Writes the counts. The bounds and the epoch are written elsewhere.
    pub(crate) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut update = conn.prepare_cached(
            "UPDATE outbox_counts SET accepted = ?1, delivered = ?2, dead = ?3, pending = ?4, \
             pending_bytes = ?5, dead_letters = ?6, redriven = ?7, moved = ?8, collided = ?9, \
             newest = ?10, earliest_new = ?11, derived = ?12, withheld = ?13, dropped = ?14, \
             erased = ?15, erasures = ?16",
        )?;
        update.execute((
            self.accepted,
            self.delivered,
            self.dead,
            self.pending,
            self.pending_bytes,
            self.dead_letters,
            self.redriven,
            self.moved,
            self.collided,
            self.newest,
            self.earliest_new,
            self.derived,
            self.withheld,
            self.dropped,
            self.erased,
            self.erasures,
        ))?;
        Ok(())
    }

    /// Fails when these events do not fit now, or never will.
    pub(crate) fn expect_room(&self, events: usize, bytes: usize) -> Result<(), AcceptError> {
        let [events, bytes] = [events, bytes].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let capacity = self.capacity.unwrap_or(i64::MAX);
        let max_bytes = self.max_bytes.unwrap_or(i64::MAX);
        if events > capacity || bytes > max_bytes {
            return Err(AcceptError::TooMuch);
        }
        // Redriven letters may take more than there is.
        let has_room = events <= capacity.saturating_sub(self.pending)
            && bytes <= max_bytes.saturating_sub(self.pending_bytes);
        if has_room { Ok(()) } else { Err(AcceptError::Full) }
    }

    /// Returns how far the file has come.
    pub(crate) fn generation(&self) -> Generation {
        Generation([self.epoch, self.accepted, self.delivered])
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(positive(self.epoch))
    }

    /// Returns how many events are pending.
    pub(crate) fn pending(&self) -> u64 {
        positive(self.pending)
    }

    pub(crate) fn counts(&self, oldest_own: Option<i64>) -> Counts {
        Counts {
            accepted: positive(self.accepted),
            derived: positive(self.derived),
            delivered: positive(self.delivered),
            dead: positive(self.dead),
            pending: positive(self.pending),
            withheld: positive(self.withheld),
            dropped: positive(self.dropped),
            erased: positive(self.erased),
            dead_letters: positive(self.dead_letters),
            purged: positive(self.dead - self.dead_letters),
            moved: positive(self.moved),
            collided: positive(self.collided),
            newest: (self.newest > 0).then(|| EventId(positive(self.newest))),
            oldest_own: oldest_own.map(|id| EventId(positive(id))),
        }
    }
}

/// Begins the epoch of an engine in this process, later than any in this generation. Returns it.
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
    Ok(Epoch(positive(epoch)))
}

/// Writes that nobody delivers any more.
pub(crate) fn release(conn: &Connection) -> rusqlite::Result<()> {
    let clear = "UPDATE outbox_counts SET deliverer = NULL, delivering_since = NULL";
    conn.execute(clear, []).map(drop)
}

/// Returns who delivers, unless that engine has released.
pub(crate) fn deliverer(conn: &Connection) -> rusqlite::Result<Option<Standby>> {
    let mut select =
        conn.prepare_cached("SELECT epoch, deliverer, delivering_since FROM outbox_counts")?;
    select.query_row([], |row| {
        let epoch = Epoch(positive(row.get(0)?));
        let deliverer: Option<String> = row.get(1)?;
        let since = moment(row.get::<_, Option<Millis>>(2)?.unwrap_or_default());
        Ok(deliverer.map(|deliverer| Standby { epoch, deliverer, since }))
    })
}

/// A person may have changed a count by hand.
fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
