//! A disk that loses a checkpoint's pages, reports that at the next sync, and works again. The next
//! checkpoint must write these pages again, also those of an earlier checkpoint that stopped
//! halfway.

use tests::Summary;

use crate::file::Contents;
use crate::ledger::FAILED;
use crate::parts::start::{Place, Start};
use crate::parts::strace;
use crate::verdict;
use crate::worker::{THROUGH, Work};

const NAME: &str = "pages that a checkpoint wrote, and the disk lost";

pub(crate) fn part(summary: &mut Summary) {
    if let Some(why) = strace::missing() {
        return summary.skip(NAME, &why);
    }
    let start = Start::large();
    for work in [Work::Forgotten, Work::ForgottenShared] {
        let mut place = start.copy();

        // The number of pages that the writing thread writes before its first sync, and before its
        // second.
        let watch = on_the_file(&place);
        strace::run(work, &mut place, &watch);
        let calls = strace::calls(&place);
        let opens = calls.first().map(|call| call.thread);
        let written = calls.iter().filter(|call| Some(call.thread) != opens);
        let names: Vec<_> = written.map(|call| call.name.as_str()).collect();
        let mut runs = names.split(|name| *name != "pwrite64").map(<[&str]>::len);
        let (before, pages) = (runs.next().unwrap_or_default(), runs.next().unwrap_or_default());
        let sync = (*names.get(before).unwrap_or(&"fsync")).to_owned();

        // Opening the file makes fewer calls than these.
        let mut place = start.copy();
        let mut options = on_the_file(&place);
        let lost = format!("inject=pwrite64:retval=4096:when={}..{}", before + 1, before + pages);
        options.extend(["-e".to_owned(), lost]);
        options.extend(["-e".to_owned(), format!("inject={sync}:error=EIO:when=2")]);
        strace::run(work, &mut place, &options);
        let Place { ledger, .. } = &place;
        let mut complaints = verdict::complaints(ledger, &Contents::of(&place.path()));
        if pages < 10 || !ledger.notes.iter().any(|note| note == THROUGH) {
            complaints.push(format!("it proves nothing: {pages} pages, {:?}", ledger.notes));
        }
        complaints
            .extend(ledger.refused.iter().map(|number| format!("event {number} was refused")));
        complaints.extend(ledger.noted(FAILED).into_iter().map(str::to_owned));
        println!("   {work:?}: {pages} pages lost");
        summary.add(&format!("{NAME}, {work:?}"), complaints);
    }
}

/// Keeps only the calls on the file itself, and not those on its WAL.
fn on_the_file(place: &Place) -> Vec<String> {
    let path = place.path().to_str().unwrap().to_owned();
    ["-P".to_owned(), path, "-e".to_owned(), "trace=pwrite64,fsync,fdatasync".to_owned()].to_vec()
}
