//! A disk with less room than it reports. A sync reveals that a write is lost, but the system shows
//! the write until a power cut.
//!
//! The file system is in a sparse file, and its disk has no room for the holes. So the syncs really
//! fail, and Linux handles it.

use std::io::Write as _;
use std::process::Stdio;

use tests::Summary;

use crate::disk::Disk;
use crate::events::PER_PROCESS;
use crate::file::Contents;
use crate::ledger::Ledger;
use crate::parts::power::{Cuts, Listener};
use crate::verdict;
use crate::worker::Work;

const NAME: &str = "a start after syncs that failed, and a power cut";

pub(crate) fn part(summary: &mut Summary) {
    let made =
        Disk::in_memory(80 << 10).and_then(|under| Ok((Disk::thin_ext4(&under, 64)?, under)));
    let (disk, under) = match made {
        Ok(made) => made,
        Err(why) => return summary.skip(NAME, &why),
    };
    let mut cuts = Cuts::of(disk);
    let path = cuts.disk.folder().join("events.db");
    let mut ledger = Ledger::default();
    let output = Work::Script.command(&path, 0).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().for_each(|line| ledger.read(line));
    let mut command = Work::ScriptThatWaits.command(&path, 100 * PER_PROCESS);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let listener = Listener::start(&mut child);
    let filling = under.fill(0);
    writeln!(child.stdin.take().unwrap()).unwrap();
    child.wait().unwrap();
    listener.end().iter().for_each(|line| ledger.read(line));
    drop(filling);
    // The first process ended with a failed disk, before a sync could succeed. Its settlement may
    // be stored all the same.
    let refused =
        std::mem::take(&mut ledger.refused).len() + std::mem::take(&mut ledger.kept).len();
    let before = ledger.accepted.len();
    cuts.cut(Work::LoadHeld, &path, &mut ledger);

    let accepted = ledger.accepted.len() - before;
    let mut complaints = verdict::complaints(&ledger, &Contents::of(&path));
    if refused == 0 || accepted == 0 {
        complaints.push("it proves nothing".to_owned());
    }
    println!("   the first process was refused {refused}, the second one accepted {accepted}");
    summary.add(NAME, complaints);
    // Unmounted before the disk below it.
    drop(cuts);
}
