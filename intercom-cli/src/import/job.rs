//! One file on its way into an outbox: a thread reads, a task stores, and a few batches are between them.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use intercom_core::DataEvent;
use tokio::sync::mpsc;

use super::checkpoint::{Checkpoint, Digest, Store, Stored};
use super::meter::Meter;
use super::records::{Format, Records};
use super::rejects::Rejects;
use super::report::Report;
use super::rows::Rows;
use super::source::Source;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How many rows one transaction takes. More make it no quicker, and a killed import reads them again.
const ROWS: usize = 4_000;

/// How many bytes of bodies one transaction takes.
const BYTES: usize = 4 << 20;

/// How many batches are ready at most.
const AHEAD: usize = 3;

/// How often a full outbox is asked for room while something delivers from it.
const ROOM: Duration = Duration::from_millis(500);

/// A file, and how it is read.
pub(super) struct Job {
    pub(super) source: Source,
    pub(super) format: Format,
    pub(super) rows: Rows,
    /// The digest of what decides what a record becomes.
    pub(super) plan: i64,
    pub(super) rejected: Option<PathBuf>,
    /// Imports a file anew that was imported before.
    pub(super) again: bool,
    /// Something delivers from the outbox meanwhile, so that a full one has room again.
    pub(super) delivers: bool,
}

/// Events that are accepted together, where the outbox has room for them.
struct Batch {
    events: Vec<DataEvent>,
    /// How far the file is read with each event.
    places: Vec<Place>,
    /// How far the file is read with all of them, and the rejected records behind them.
    end: Place,
    bytes_read: u64,
}

/// How far a file is read.
#[derive(Clone, Copy)]
struct Place {
    records: i64,
    digest: i64,
}

impl Job {
    fn shown(&self) -> String {
        self.source.path.display().to_string()
    }

    /// Imports the file.
    ///
    /// # Errors
    ///
    /// Fails when the file or the outbox cannot be read or written, and when interrupted. The same call goes on from there.
    pub(super) async fn run(self, context: &Context, store: &mut Store) -> Result<Report, Failure> {
        let file = self.shown();
        let mut report = Report { file: file.clone(), ..Report::default() };
        let Some(checkpoint) = self.checkpoint(store).await? else { return Ok(report) };
        let skipped = checkpoint.records;
        let mut meter = Meter::new(context.output, &file, self.source.size);
        meter.skipped(u64::try_from(skipped).unwrap_or_default());
        let (delivers, began) = (self.delivers, checkpoint.accepted);
        let mut storing = Storing { store, checkpoint, delivers };
        let (batches, mut ready) = mpsc::channel(AHEAD);
        let reading = tokio::task::spawn_blocking(move || self.read(skipped, &batches));
        while let Some(batch) = ready.recv().await {
            // A transaction that is dropped is as if it had never begun.
            let stored = tokio::select! {
                biased;
                () = context.interrupt.wait() => None,
                stored = storing.store(&batch) => Some(stored),
            };
            let stored =
                stored.unwrap_or_else(|| Err(interrupted(&file, storing.checkpoint.records)));
            if let Err(failure) = stored {
                meter.finish();
                return Err(failure);
            }
            let records = u64::try_from(storing.checkpoint.records).unwrap_or_default();
            meter.update(records, batch.bytes_read);
        }
        let accepted_here = u64::try_from(storing.checkpoint.accepted - began).unwrap_or_default();
        meter.finish();
        let read = reading.await.map_err(|error| {
            Failure::new(Exit::Failed, "import", format!("reading {file} panicked: {error}"))
        })?;
        let (read, rejected_file) = read?;
        report.rejected = read.rejected;
        report.rules = read.rules;
        report.accepted = accepted_here;
        report.accepted_before = read.accepted - accepted_here;
        report.rejected_file = rejected_file.map(|path| path.display().to_string());
        Ok(report)
    }

    /// Finds where the import goes on; `None` for a file without a record.
    async fn checkpoint(&self, store: &mut Store) -> Result<Option<Checkpoint>, Failure> {
        let file = self.shown();
        let Some(first) = self.digests(&[1])?.first().copied() else { return Ok(None) };
        let known = store.find(first).await?;
        let new = Checkpoint {
            id: 0,
            first,
            records: 0,
            digest: 0,
            plan: self.plan,
            accepted: 0,
            file: file.clone(),
        };
        let mut counts: Vec<i64> = known.iter().map(|known| known.records).collect();
        counts.sort_unstable();
        counts.dedup();
        let digests = self.digests(&counts)?;
        let fits = |known: &&Checkpoint| {
            let place = counts.binary_search(&known.records).ok();
            known.records == 0 || place.and_then(|place| digests.get(place)) == Some(&known.digest)
        };
        if self.again || known.is_empty() {
            let forgotten: Vec<i64> = known.iter().filter(fits).map(|known| known.id).collect();
            let id = store.begin(&new, known.len(), &forgotten).await?;
            return Ok(Some(Checkpoint { id, ..new }));
        }
        let Some(found) = known.iter().find(fits) else {
            let Some(other) = known.first() else { return Ok(None) };
            return Err(Failure::new(
                Exit::Failed,
                "import_changed",
                format!(
                    "{file} begins as {} did, of which {} rows were imported, and differs after that: it was changed, or its \
                     last row was cut off then; import the new rows as a file of their own, or all of them with --again",
                    other.file, other.records
                ),
            ));
        };
        if found.plan != self.plan && found.records > 0 {
            return Err(Failure::new(
                Exit::Failed,
                "import_changed",
                format!(
                    "{} rows of {file} were imported with other options, another mapping or another lock; name the same ones, \
                     or import all rows with --again",
                    found.records
                ),
            ));
        }
        Ok(Some(Checkpoint { file, plan: self.plan, ..found.clone() }))
    }

    /// Returns the digests of the file's first records: as many as these counts say, in ascending order. The file may end
    /// before the last.
    fn digests(&self, counts: &[i64]) -> Result<Vec<i64>, Failure> {
        let mut records = self.records()?;
        let (mut digest, mut read, mut digests) = (Digest::default(), 0, Vec::new());
        for &count in counts {
            while read < count {
                let record = records.next().map_err(|error| self.unreadable(&error))?;
                let Some(record) = record else { return Ok(digests) };
                digest.add(record.raw);
                read += 1;
            }
            digests.push(digest.value());
        }
        Ok(digests)
    }

    /// Reads from behind the header.
    fn records(&self) -> Result<Records, Failure> {
        let mut records = Records::new(self.source.open()?, self.format);
        if let Format::Csv { .. } = self.format {
            records.next().map_err(|error| self.unreadable(&error))?;
        }
        Ok(records)
    }

    /// Reads all records, hands those on that were not taken yet, and writes what is rejected. What was taken is read as
    /// before, so that the file of rejected rows is whole however often an import was killed.
    fn read(
        mut self,
        skipped: i64,
        batches: &mpsc::Sender<Batch>,
    ) -> Result<(Report, Option<PathBuf>), Failure> {
        let mut records = self.records()?;
        let header = &self.rows.survey.header;
        let mut rejects =
            Rejects::new(&self.source.path, self.rejected.as_deref(), self.format, header);
        let mut report = Report::default();
        let mut digest = Digest::default();
        let (mut bytes, mut read, mut sent) = (0, 0, skipped);
        let (mut events, mut places) = (Vec::with_capacity(ROWS), Vec::with_capacity(ROWS));
        loop {
            let record = records.next();
            let record = record.map_err(|error| self.unreadable(&error))?;
            let is_at_end = record.is_none();
            if let Some(record) = record {
                digest.add(record.raw);
                read += 1;
                match self.rows.event(&record) {
                    Ok(event) => {
                        report.accepted += 1;
                        if read > skipped {
                            bytes += event.body().len();
                            events.push(event);
                            places.push(Place { records: read, digest: digest.value() });
                        }
                    }
                    Err(rejection) => {
                        rejects.write(&record, &rejection)?;
                        report.reject(record.line, rejection);
                    }
                }
            }
            let is_full = events.len() == ROWS || bytes >= BYTES || read - sent >= 8 * ROWS as i64;
            if is_full || is_at_end && read > sent {
                let events = std::mem::replace(&mut events, Vec::with_capacity(ROWS));
                let places = std::mem::replace(&mut places, Vec::with_capacity(ROWS));
                let end = Place { records: read, digest: digest.value() };
                let bytes_read = self.source.read.load(Ordering::Relaxed);
                let batch = Batch { events, places, end, bytes_read };
                (bytes, sent) = (0, read);
                // Nobody stores any more: the import was interrupted, or has failed.
                if batches.blocking_send(batch).is_err() {
                    return Ok((report, None));
                }
            }
            if is_at_end {
                return Ok((report, rejects.finish()?));
            }
        }
    }

    fn unreadable(&self, error: &std::io::Error) -> Failure {
        Failure::file(format!("cannot read {}", self.source.path.display()), error)
    }

    /// Reads all records, and accepts none.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub(super) fn dry_run(&mut self, mut take: impl FnMut(DataEvent)) -> Result<Report, Failure> {
        let mut records = self.records()?;
        let mut report = Report { file: self.shown(), ..Report::default() };
        while let Some(record) = records.next().map_err(|error| {
            Failure::file(format!("cannot read {}", self.source.path.display()), &error)
        })? {
            match self.rows.event(&record) {
                Ok(event) => {
                    report.accepted += 1;
                    take(event);
                }
                Err(rejection) => report.reject(record.line, rejection),
            }
        }
        Ok(report)
    }
}

/// Stores batches one after another.
struct Storing<'a> {
    store: &'a mut Store,
    /// What is stored.
    checkpoint: Checkpoint,
    delivers: bool,
}

impl Storing<'_> {
    /// Stores a batch, in smaller parts where the outbox has no room for all of it.
    ///
    /// # Errors
    ///
    /// Fails when a transaction does, and when there is no room for one more event.
    async fn store(&mut self, batch: &Batch) -> Result<(), Failure> {
        let count = batch.events.len();
        let (mut from, mut size) = (0, count);
        loop {
            let to = count.min(from + size);
            let Place { records, digest } =
                if to == count { batch.end } else { batch.places[to - 1] };
            let events = &batch.events[from..to];
            let accepted = self.checkpoint.accepted + i64::try_from(events.len()).unwrap_or(0);
            let next = Checkpoint { records, digest, accepted, ..self.checkpoint.clone() };
            match self.store.step(self.checkpoint.records, &next, events).await? {
                Stored::Done => {
                    (self.checkpoint, from, size) = (next, to, 2 * size);
                    if to == count {
                        return Ok(());
                    }
                }
                Stored::Full | Stored::TooMuch if events.len() > 1 => size = events.len() / 2,
                Stored::Full if self.delivers => tokio::time::sleep(ROOM).await,
                Stored::Full => return Err(full(&self.checkpoint)),
                Stored::TooMuch => return Err(too_large(&self.checkpoint)),
            }
        }
    }
}

fn interrupted(file: &str, records: i64) -> Failure {
    Failure::interrupted(format!(
        "interrupted after {records} rows of {file}; the same command goes on from there"
    ))
}

fn full(checkpoint: &Checkpoint) -> Failure {
    let Checkpoint { file, records, .. } = checkpoint;
    Failure::new(
        Exit::Later,
        "outbox_full",
        format!(
            "the outbox is full after {records} rows of {file}; deliver from it, then the same command goes on from there"
        ),
    )
}

fn too_large(checkpoint: &Checkpoint) -> Failure {
    let Checkpoint { file, records, .. } = checkpoint;
    Failure::new(
        Exit::Failed,
        "outbox_full",
        format!(
            "the outbox never has room for the event that follows {records} rows of {file}; raise its bounds, then the same \
             command goes on from there"
        ),
    )
}
