//! Imports one file into an outbox: a thread reads batches, a task stores them, and a bounded
//! channel is between them.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use intercom_core::DataEvent;
use tokio::sync::mpsc;

use super::checkpoint::{Checkpoint, CheckpointStore, Digest, Stored};
use super::meter::Meter;
use super::records::{FileFormat, Records};
use super::rejects::Rejects;
use super::report::ImportReport;
use super::rows::Rows;
use super::source::SourceFile;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// The limit of rows in a transaction. More rows make it no faster, and a killed import reads them
/// again.
const BATCH_ROWS: usize = 4_000;

/// The size of bodies at which a transaction ends.
const BATCH_BYTES: usize = 4 << 20;

/// The limit of batches that wait for the store.
const READY_BATCHES: usize = 3;

/// The interval at which the import retries a full outbox while it delivers from it.
const FULL_RETRY: Duration = Duration::from_millis(500);

/// A file, and how to read it.
pub(super) struct Job {
    pub(super) source: SourceFile,
    pub(super) format: FileFormat,
    pub(super) rows: Rows,
    /// The digest of the options that decide which event a record becomes.
    pub(super) plan: i64,
    pub(super) rejected: Option<PathBuf>,
    /// Imports all rows again, even those that an earlier import took.
    pub(super) again: bool,
    /// The import also delivers from the outbox, so a full outbox gets room again.
    pub(super) delivers: bool,
}

/// Events of one transaction, if the outbox has room for them.
struct Batch {
    events: Vec<DataEvent>,
    /// The position after the record of each event.
    places: Vec<Position>,
    /// The position after all of these events and the rejected records behind them.
    end: Position,
    bytes_read: u64,
}

/// A position in a file: the records before it, and their digest.
#[derive(Clone, Copy)]
struct Position {
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
    /// Fails when the file or the outbox cannot be read or written, or when interrupted. The same
    /// call resumes there.
    pub(super) async fn run(
        self,
        context: &Context,
        store: &mut CheckpointStore,
    ) -> Result<ImportReport, Failure> {
        let file = self.shown();
        let mut report = ImportReport { file: file.clone(), ..ImportReport::default() };
        let Some(checkpoint) = self.checkpoint(store).await? else { return Ok(report) };
        let skipped = checkpoint.records;
        let mut meter = Meter::new(context.output, &file, self.source.size);
        meter.skipped(u64::try_from(skipped).unwrap_or_default());
        let (delivers, began) = (self.delivers, checkpoint.accepted);
        let mut storing = Storing { store, checkpoint, delivers };
        let (batches, mut ready) = mpsc::channel(READY_BATCHES);
        let reading = tokio::task::spawn_blocking(move || self.read(skipped, &batches));
        while let Some(batch) = ready.recv().await {
            // Dropping a transaction rolls it back.
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
            Failure::new(
                Exit::Failed,
                "import",
                format!("the reader of {file} panicked: {error}; report this as a bug"),
            )
        })?;
        let (read, rejected_file) = read?;
        report.rejected = read.rejected;
        report.rules = read.rules;
        report.accepted = accepted_here;
        report.accepted_before = read.accepted - accepted_here;
        report.rejected_file = rejected_file.map(|path| path.display().to_string());
        Ok(report)
    }

    /// Finds where the import resumes; `None` for a file without a record.
    async fn checkpoint(&self, store: &mut CheckpointStore) -> Result<Option<Checkpoint>, Failure> {
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
                    "{file} has the first row of {}, of which an import took {} rows, and these \
                     rows differ now: an edit changed them, or the last one was incomplete then; \
                     import the new rows as a file of their own, or all rows with --again",
                    other.file, other.records
                ),
            ));
        };
        if found.plan != self.plan && found.records > 0 {
            return Err(Failure::new(
                Exit::Failed,
                "import_changed",
                format!(
                    "an import took {} rows of {file} with other options, another mapping or \
                     another lock; use the same ones, or import all rows with --again",
                    found.records
                ),
            ));
        }
        Ok(Some(Checkpoint { file, plan: self.plan, ..found.clone() }))
    }

    /// Returns the digests of the file's first records, one for each of these ascending counts. The
    /// file may end before the last count.
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

    /// Opens the records after the header.
    fn records(&self) -> Result<Records, Failure> {
        let mut records = Records::new(self.source.open()?, self.format);
        if let FileFormat::Csv { .. } = self.format {
            records.next().map_err(|error| self.unreadable(&error))?;
        }
        Ok(records)
    }

    /// Reads all records, sends the new ones to the store, and writes the rejected rows. It also
    /// reads the records before the checkpoint, so that the file of rejected rows is complete after
    /// any number of kills.
    fn read(
        mut self,
        skipped: i64,
        batches: &mpsc::Sender<Batch>,
    ) -> Result<(ImportReport, Option<PathBuf>), Failure> {
        let mut records = self.records()?;
        let header = &self.rows.survey.header;
        let mut rejects =
            Rejects::new(&self.source.path, self.rejected.as_deref(), self.format, header);
        let mut report = ImportReport::default();
        let mut digest = Digest::default();
        let (mut bytes, mut read, mut sent) = (0, 0, skipped);
        let (mut events, mut places) =
            (Vec::with_capacity(BATCH_ROWS), Vec::with_capacity(BATCH_ROWS));
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
                            places.push(Position { records: read, digest: digest.value() });
                        }
                    }
                    Err(rejection) => {
                        rejects.write(&record, &rejection)?;
                        report.reject(record.line, rejection);
                    }
                }
            }
            let is_full = events.len() == BATCH_ROWS
                || bytes >= BATCH_BYTES
                || read - sent >= 8 * BATCH_ROWS as i64;
            if is_full || is_at_end && read > sent {
                let events = std::mem::replace(&mut events, Vec::with_capacity(BATCH_ROWS));
                let places = std::mem::replace(&mut places, Vec::with_capacity(BATCH_ROWS));
                let end = Position { records: read, digest: digest.value() };
                let bytes_read = self.source.read.load(Ordering::Relaxed);
                let batch = Batch { events, places, end, bytes_read };
                (bytes, sent) = (0, read);
                // The store has ended: the import failed, or a signal interrupted it.
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

    /// Reads all records, and stores none.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub(super) fn dry_run(
        &mut self,
        mut take: impl FnMut(DataEvent),
    ) -> Result<ImportReport, Failure> {
        let mut records = self.records()?;
        let mut report = ImportReport { file: self.shown(), ..ImportReport::default() };
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

/// Stores one batch after another.
struct Storing<'a> {
    store: &'a mut CheckpointStore,
    /// The checkpoint in the outbox.
    checkpoint: Checkpoint,
    delivers: bool,
}

impl Storing<'_> {
    /// Stores a batch, in smaller parts if the outbox has no room for all of it.
    ///
    /// # Errors
    ///
    /// Fails when a transaction does, or when there is no room for one more event.
    async fn store(&mut self, batch: &Batch) -> Result<(), Failure> {
        let count = batch.events.len();
        let (mut from, mut size) = (0, count);
        loop {
            let to = count.min(from + size);
            let Position { records, digest } =
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
                Stored::Full if self.delivers => tokio::time::sleep(FULL_RETRY).await,
                Stored::Full => return Err(full(&self.checkpoint)),
                Stored::TooMuch => return Err(too_large(&self.checkpoint)),
            }
        }
    }
}

fn interrupted(file: &str, records: i64) -> Failure {
    Failure::interrupted(format!(
        "interrupted after {records} rows of {file}; the same command resumes there"
    ))
}

fn full(checkpoint: &Checkpoint) -> Failure {
    let Checkpoint { file, records, .. } = checkpoint;
    Failure::new(
        Exit::Later,
        "outbox_full",
        format!(
            "the outbox is full after {records} rows of {file}; \
             deliver from it, then the same command resumes there"
        ),
    )
}

fn too_large(checkpoint: &Checkpoint) -> Failure {
    let Checkpoint { file, records, .. } = checkpoint;
    Failure::new(
        Exit::Failed,
        "outbox_full",
        format!(
            "the outbox is too small for the event after {records} rows of {file}; raise its \
             bounds, then the same command resumes there"
        ),
    )
}
