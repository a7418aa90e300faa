//! Disks without room, and disks that may not be written.

use std::path::Path;
use std::slice;

use intercom_delivery::outbox::{AcceptError, Lease, Outbox as _, OutboxError};
use intercom_sqlite::{OpenError, SqliteOutbox};
use tokio::runtime::Builder;

use crate::disk::Disk;
use crate::engine::{self, Engine};
use crate::events::{self, LARGE};
use crate::file::Contents;
use crate::ledger::{Ledger, in_words};
use crate::summary::Summary;
use crate::verdict;

/// How much room there is in the beginning.
const ROOM: u64 = 1 << 20;

/// A disk becomes full, and has room again.
pub(crate) fn part(summary: &mut Summary) {
    let within = tempfile::tempdir().unwrap();
    let disks = [
        ("a full ext4", Disk::ext4(within.path(), 24)),
        ("a full tmpfs", Disk::in_memory(8 << 10)),
    ];
    for (name, disk) in disks {
        match disk {
            Ok(disk) => {
                summary.add(name, fill_up(&disk).err().into_iter().flatten().collect());
                summary.add(&format!("deliveries on {name}"), deliver(&disk));
            }
            Err(why) => summary.skip(name, &why),
        }
    }
}

/// A disk becomes full to the last block, and what is in the outbox is delivered. The log has a place on the disk, and the
/// file has free pages: so it can be written down which events have left, and no start sends them again.
fn deliver(disk: &Disk) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let outbox = SqliteOutbox::open(disk.folder().join("deliveries.db")).unwrap();
    let events: Vec<_> = (0..LARGE).map(events::event).collect();
    let (before, pending) = events.split_at(events.len() * 2 / 3);
    runtime.block_on(async {
        let mut engine = Engine::new(outbox.clone());
        outbox.accept(before).await.unwrap();
        deliver_some(&mut engine, before.len()).await.unwrap();
        outbox.maintain().await;
        for event in pending {
            outbox.accept(slice::from_ref(event)).await.unwrap();
        }
        let _filling = disk.fill(0);
        let mut complaints = Vec::new();
        let pending = async || outbox.counts().await.unwrap().pending;
        while pending().await > 0 && complaints.is_empty() {
            if let Err(error) = deliver_some(&mut engine, 32).await {
                let left = pending().await;
                complaints.push(format!("{left} cannot be settled: {}", in_words(&error)));
            }
        }
        complaints
    })
}

/// Leases and delivers so many.
async fn deliver_some(engine: &mut Engine, limit: usize) -> Result<(), OutboxError> {
    let leases = engine.lease(limit).await?;
    let leases: Vec<_> = leases.iter().collect();
    match engine.settle(&leases, engine::delivered).await {
        // It may only have found out that the WAL must begin anew.
        Err(_) => engine.settle(&leases, engine::delivered).await,
        done => done,
    }
}

fn fill_up(disk: &Disk) -> Result<(), Vec<String>> {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let path = disk.folder().join("events.db");
    let mut told = Ledger::default();
    let mut numbers = LARGE..;
    let mut accept = |outbox: &SqliteOutbox| {
        let number = numbers.next().unwrap_or_default();
        told.offered.insert(number);
        let accepted = runtime.block_on(outbox.accept(&[events::event(number)]));
        let set = if accepted.is_ok() { &mut told.accepted } else { &mut told.refused };
        set.insert(number);
        accepted
    };
    let lease = |engine: &mut Engine| runtime.block_on(engine.lease(3));
    let mut complaints = Vec::new();

    let outbox = open(&path)?;
    let mut engine = Engine::new(outbox.clone());
    let began = runtime.block_on(engine.begin());
    complaints.extend(began.err().map(|error| in_words(&error)));
    let filling = disk.fill(ROOM);
    while accept(&outbox).is_ok() {}
    for _ in 0..3 {
        match accept(&outbox) {
            Err(error @ AcceptError::Storage(_)) if in_words(&error).contains("make room") => {}
            other => complaints.push(format!("without room: {other:?}")),
        }
    }
    // The process that delivers can go on reading.
    complaints.extend(expect_three("without room", lease(&mut engine)));
    drop((outbox, engine));
    let outbox = open(&path)?;
    let mut engine = Engine::new(outbox.clone());
    match lease(&mut engine) {
        // A turn begins with a write of its epoch, and there may be no room for that.
        Err(error) if in_words(&error).contains("make room") => {}
        leased => complaints.extend(expect_three("without room after a new start", leased)),
    }
    drop(filling);
    for _ in 0..3 {
        let accepted = accept(&outbox);
        complaints.extend(accepted.err().map(|error| format!("with room: {}", in_words(&error))));
    }
    complaints.extend(expect_three("with room", lease(&mut engine)));
    drop((outbox, engine));
    println!("   {} accepted, {} refused", told.accepted.len(), told.refused.len());
    complaints.extend(verdict::complaints(&told, &Contents::of(&path)));
    if complaints.is_empty() { Ok(()) } else { Err(complaints) }
}

/// What is wrong if not three events were leased.
fn expect_three(when: &str, leased: Result<Vec<Lease>, OutboxError>) -> Option<String> {
    match leased {
        Ok(leases) if leases.len() == 3 => None,
        Ok(leases) => Some(format!("{when}, {} of 3 events are leased", leases.len())),
        Err(error) => Some(format!("{when}, nothing is leased: {}", in_words(&error))),
    }
}

fn open(path: &Path) -> Result<SqliteOutbox, Vec<String>> {
    SqliteOutbox::open(path).map_err(|error| vec![format!("not opened: {}", in_words(&error))])
}

/// A file system that may not be written.
pub(crate) fn read_only(summary: &mut Summary) {
    const NAME: &str = "a read-only file system";
    let disk = match Disk::in_memory(8 << 10) {
        Ok(disk) => disk,
        Err(why) => return summary.skip(NAME, &why),
    };
    let (there, new) = (disk.folder().join("events.db"), disk.folder().join("new.db"));
    drop(SqliteOutbox::open(&there).unwrap());
    disk.make_read_only();
    let mut complaints = Vec::new();
    for path in [there, new] {
        match SqliteOutbox::open(&path) {
            Err(error @ (OpenError::ReadOnlyFile { .. } | OpenError::ReadOnlyFolder { .. }))
                if error.to_string().contains("cannot be written") => {}
            other => complaints.push(format!("{}: {other:?}", path.display())),
        }
    }
    summary.add(NAME, complaints);
}
