//! All operations of an outbox, in the same order in each run, so that the number of a system call
//! identifies the operation.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::process;

use intercom_delivery::outbox::{
    DeadLetterReason, Lease, Operate as _, Outbox as _, Selection, Verdict,
};
use intercom_sqlite::SqliteOutbox;
use tokio::runtime::Builder;

use crate::engine::{self, Engine};
use crate::events::{self, LARGE};
use crate::ledger::{Step, failed, in_words, note, record};
use crate::worker::THROUGH;
use crate::worker::load::BEGUN;

/// The number of large events in one batch: together they exceed the free pages that the outbox
/// keeps.
const MANY: u64 = 700;

/// The line of a worker that failed to open the file, before its second try.
pub(crate) const NOT_OPENED: &str = "not opened: ";

/// The start of a line about an operation that worked.
pub(crate) const WORKED: &str = "worked";

/// Runs the script. If `waits`, it waits for a line after opening the file.
pub(crate) fn run(path: &Path, first: u64, until_refused: bool, waits: bool) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let opened = SqliteOutbox::open(path).or_else(|error| {
        note(&format!("{NOT_OPENED}{}", in_words(&error)));
        SqliteOutbox::open(path)
    });
    let outbox = match opened {
        Ok(outbox) => outbox,
        Err(error) => return note(&format!("{NOT_OPENED}{}", in_words(&error))),
    };
    if waits {
        note(BEGUN);
        io::stdin().read_line(&mut String::new()).unwrap();
    }
    let script = Script { engine: Engine::new(outbox), first, until_refused };
    runtime.block_on(script.play());
    note(THROUGH);
}

struct Script {
    engine: Engine,
    first: u64,
    until_refused: bool,
}

impl Script {
    async fn play(mut self) {
        self.accept(0..1).await;
        self.accept(1..2).await;
        self.accept(2..6).await;
        // Two events are delivered, one becomes a dead letter, one is put back.
        let leases = self.lease(4).await;
        for (lease, verdict) in leases.iter().zip([
            engine::delivered as fn(&Lease) -> Verdict,
            engine::delivered,
            rejected,
            engine::put_back,
        ]) {
            self.settle(&[lease], verdict).await;
        }
        self.engine.outbox.maintain().await;
        self.accept(LARGE..LARGE + MANY).await;
        self.accept(6..8).await;
        let leases = self.lease(usize::MAX).await;
        let (large, others): (Vec<_>, Vec<_>) =
            leases.iter().partition(|lease| lease.event.body().len() > 2_000);
        self.settle(&large, engine::delivered).await;
        self.settle(&others, rejected).await;
        // Many pages are free now, and the outbox returns them to the file system.
        self.engine.outbox.maintain().await;
        for number in 8..12 {
            self.accept(number..number + 1).await;
        }
        if let Some(lease) = others.last() {
            self.redrive(lease).await;
        }
        self.accept(12..14).await;
    }

    async fn accept(&self, numbers: Range<u64>) {
        let numbers = self.first + numbers.start..self.first + numbers.end;
        let events: Vec<_> = numbers.clone().map(events::event).collect();
        record(Step::Offered, numbers.clone());
        match self.engine.outbox.accept(&events).await {
            Ok(()) => {
                record(Step::Accepted, numbers);
                note(WORKED);
            }
            Err(error) => {
                record(Step::Refused, numbers);
                self.failed(&error);
            }
        }
    }

    async fn lease(&mut self, limit: usize) -> Vec<Lease> {
        match self.engine.lease(limit).await {
            Ok(leases) => leases,
            Err(error) => {
                self.failed(&error);
                Vec::new()
            }
        }
    }

    async fn settle(&self, leases: &[&Lease], verdict: fn(&Lease) -> Verdict) {
        let Some(first) = leases.first() else { return };
        let all = |word| {
            for lease in leases {
                let number = events::number(&lease.event).unwrap();
                record(word, number..number + 1);
            }
        };
        let (before, after) = match verdict(first) {
            Verdict::Delivered { .. } => (Some(Step::Delivered), Some(Step::Settled)),
            Verdict::Bury { .. } => (Some(Step::Rejected), Some(Step::Buried)),
            Verdict::PutBack { .. } => (None, None),
        };
        before.into_iter().for_each(all);
        match self.engine.settle(leases, verdict).await {
            Ok(()) => {
                after.into_iter().for_each(all);
                note(WORKED);
            }
            Err(error) => {
                all(Step::Kept);
                self.failed(&error);
            }
        }
    }

    async fn redrive(&self, lease: &Lease) {
        let number = events::number(&lease.event).unwrap();
        record(Step::Redriven, number..number + 1);
        match self.engine.outbox.redrive(&Selection::One(lease.id)).await {
            Ok(_) => note(WORKED),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &dyn std::error::Error) {
        failed(error);
        if self.until_refused {
            process::abort();
        }
    }
}

/// Intercom refused the event.
fn rejected(_: &Lease) -> Verdict {
    let reason = DeadLetterReason::Rejected;
    Verdict::Bury { reason, attempts: 1, failure: None, used: None }
}
