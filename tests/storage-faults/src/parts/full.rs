//! Full disks, and read-only disks.

use std::path::Path;
use std::slice;

use intercom_delivery::outbox::{AcceptError, Lease, Outbox as _, OutboxError};
use intercom_sqlite::{OpenError, SqliteOutbox};
use tests::Summary;
use tokio::runtime::Builder;

use crate::disk::Disk;
use crate::engine::{self, Engine};
use crate::events::{self, LARGE};
use crate::file::Contents;
use crate::ledger::{Ledger, in_words};
use crate::verdict;

/// The free space at the start.
const ROOM: u64 = 4 << 20;

/// A disk fills up, and has room again.
pub(crate) fn part(summary: &mut Summary) {
    let within = tempfile::tempdir().unwrap();
    let disks = [
        ("a full ext4", Disk::ext4(within.path(), 24)),
        ("a full tmpfs", Disk::in_memory(8 << 10)),
    ];
    for (name, disk) in disks {
        match disk {
            Ok(disk) => {
                summary.add(name, fill_up(&disk).err().into_iter().flatten().collect::<Vec<_>>());
                disk.clear();
                summary.add(&format!("deliveries on {name}"), deliver(&disk));
                disk.clear();
                summary.add(&format!("{name} that the outbox filled"), fill_by_itself(&disk));
                disk.clear();
                summary.add(&format!("a start on {name}"), start(&disk));
            }
            Err(why) => summary.skip(name, &why),
        }
    }
}

/// A disk is full to the last block, and the outbox delivers its events. The WAL is preallocated on
/// the disk, and the file has free pages. So settlements fit, and no start sends the events again.
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
        deliver_all(&mut engine).await
    })
}

/// The outbox itself fills the disk, and refuses further events. It must deliver all of them while
/// others still try to accept. Then there is room again.
fn fill_by_itself(disk: &Disk) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let path = disk.folder().join("own.db");
    let outbox = SqliteOutbox::open(&path).unwrap();
    runtime.block_on(async {
        let mut engine = Engine::new(outbox.clone());
        engine.begin().await.unwrap();
        let mut accepted = 0;
        let refusal = loop {
            let events: Vec<_> =
                (0..20).map(|event| events::event(LARGE + accepted + event)).collect();
            match outbox.accept(&events).await {
                Ok(()) => accepted += 20,
                Err(error) => break in_words(&error),
            }
        };
        let mut complaints = Vec::new();
        if accepted < 100 || !refusal.contains("make room") {
            complaints.push(format!("{accepted} accepted, and then {refusal}"));
        }
        println!("   {accepted} accepted on {} free bytes", disk.free());
        let trying = async {
            // The call may succeed or fail.
            let _ = outbox.accept(&[events::event(0)]).await;
        };
        let (delivered, ()) = tokio::join!(deliver_all(&mut engine), trying);
        complaints.extend(delivered);
        outbox.maintain().await;
        complaints
            .extend(outbox.accept(&[events::event(1)]).await.err().map(|error| in_words(&error)));
        complaints
    })
}

/// A process starts on a disk that another program has filled to the last block, and delivers the
/// pending events.
fn start(disk: &Disk) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let path = disk.folder().join("start.db");
    let mut complaints = Vec::new();
    for round in 0..2 {
        let outbox = SqliteOutbox::open(&path).unwrap();
        let events: Vec<_> =
            (0..LARGE / 2).map(|event| events::event(round * LARGE + event)).collect();
        runtime.block_on(outbox.accept(&events)).unwrap();
        drop(outbox);
        let filling = disk.fill(0);
        match SqliteOutbox::open(&path) {
            Ok(outbox) => {
                complaints.extend(runtime.block_on(deliver_all(&mut Engine::new(outbox))))
            }
            Err(error) => complaints.push(format!("not opened: {}", in_words(&error))),
        }
        drop(filling);
    }
    complaints
}

/// Delivers everything.
async fn deliver_all(engine: &mut Engine) -> Vec<String> {
    let pending = async |engine: &Engine| engine.outbox.counts().await.unwrap().pending;
    // The first call may fail, because the WAL must restart.
    if engine.begin().await.is_err()
        && let Err(error) = engine.begin().await
    {
        return vec![format!("its turn does not begin: {}", in_words(&error))];
    }
    while pending(engine).await > 0 {
        if let Err(error) = deliver_some(engine, 32).await {
            let left = pending(engine).await;
            return vec![format!("{left} cannot be settled: {}", in_words(&error))];
        }
    }
    Vec::new()
}

/// Leases and delivers `limit` events.
async fn deliver_some(engine: &mut Engine, limit: usize) -> Result<(), OutboxError> {
    let leases = engine.lease(limit).await?;
    let leases: Vec<_> = leases.iter().collect();
    engine.settle(&leases, engine::delivered).await
}

fn fill_up(disk: &Disk) -> Result<(), Vec<String>> {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let path = disk.folder().join("events.db");
    let mut ledger = Ledger::default();
    let mut numbers = LARGE..;
    let mut accept = |outbox: &SqliteOutbox| {
        let number = numbers.next().unwrap_or_default();
        ledger.offered.insert(number);
        let accepted = runtime.block_on(outbox.accept(&[events::event(number)]));
        let set = if accepted.is_ok() { &mut ledger.accepted } else { &mut ledger.refused };
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
    // The delivering process can still read.
    complaints.extend(expect_three("without room", lease(&mut engine)));
    drop((outbox, engine));
    let outbox = open(&path)?;
    let mut engine = Engine::new(outbox.clone());
    // The first call may fail, because the WAL must restart.
    let leased = lease(&mut engine).or_else(|_| lease(&mut engine));
    complaints.extend(expect_three("without room after a new start", leased));
    drop(filling);
    for _ in 0..3 {
        let accepted = accept(&outbox);
        complaints.extend(accepted.err().map(|error| format!("with room: {}", in_words(&error))));
    }
    complaints.extend(expect_three("with room", lease(&mut engine)));
    drop((outbox, engine));
    println!("   {} accepted, {} refused", ledger.accepted.len(), ledger.refused.len());
    complaints.extend(verdict::complaints(&ledger, &Contents::of(&path)));
    if complaints.is_empty() { Ok(()) } else { Err(complaints) }
}

/// Complains unless three events were leased.
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

/// A read-only file system.
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

/// A single mounted file, whose WAL and lock would be on another file system.
pub(crate) fn mounted(summary: &mut Summary) {
    const NAME: &str = "a file that is a mount point";
    let disk = match Disk::in_memory(8 << 10) {
        Ok(disk) => disk,
        Err(why) => return summary.skip(NAME, &why),
    };
    let path = disk.folder().join("events.db");
    drop(SqliteOutbox::open(&path).unwrap());
    let mounted = match disk.mount_file(&path) {
        Ok(mounted) => mounted,
        Err(why) => return summary.skip(NAME, &why),
    };
    let mut complaints = Vec::new();
    for opened in [SqliteOutbox::open(&path).err(), SqliteOutbox::inspect(&path).err()] {
        match opened {
            Some(error @ OpenError::MountPoint { .. })
                if error.to_string().contains(disk.folder().to_str().unwrap()) => {}
            other => complaints.push(format!("the outbox opened a mount point: {other:?}")),
        }
    }
    drop(mounted);
    complaints.extend(SqliteOutbox::open(&path).err().map(|error| in_words(&error)));
    summary.add(NAME, complaints);
}
