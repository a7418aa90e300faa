//! A disk that loses what a checkpoint wrote, says so at the next sync, and is well again: what is in the file must be
//! written once more, also what an earlier checkpoint had written that had to stop halfway.

use crate::file::Contents;
use crate::ledger::FAILED;
use crate::parts::start::{Place, Start};
use crate::parts::strace;
use crate::summary::Summary;
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

        // How many pages are written before the first sync.
        let watch = on_the_file(&place);
        strace::run(work, &mut place, &watch);
        let calls = strace::calls(&place);
        let pages = calls.iter().take_while(|call| call.name == "pwrite64").count();
        let sync = calls.get(pages).map_or("fsync", |call| &call.name).to_owned();

        let mut place = start.copy();
        let mut options = on_the_file(&place);
        options.extend(["-e".to_owned(), format!("inject=pwrite64:retval=4096:when=1..{pages}")]);
        options.extend(["-e".to_owned(), format!("inject={sync}:error=EIO:when=1")]);
        strace::run(work, &mut place, &options);
        let Place { told, .. } = &place;
        let mut complaints = verdict::complaints(told, &Contents::of(&place.path()));
        if pages < 10 || !told.notes.iter().any(|note| note == THROUGH) {
            complaints.push(format!("it proves nothing: {pages} pages, {:?}", told.notes));
        }
        complaints.extend(told.refused.iter().map(|number| format!("event {number} was refused")));
        complaints.extend(told.noted(FAILED).into_iter().map(str::to_owned));
        println!("   {work:?}: {pages} pages lost");
        summary.add(&format!("{NAME}, {work:?}"), complaints);
    }
}

/// Of the calls only those on the file itself, and not those on its log.
fn on_the_file(place: &Place) -> Vec<String> {
    let path = place.path().to_str().unwrap().to_owned();
    ["-P".to_owned(), path, "-e".to_owned(), "trace=pwrite64,fsync,fdatasync".to_owned()].to_vec()
}
