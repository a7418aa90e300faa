//! One batch: what rides in one transaction, and what its callers are told.

use std::collections::HashSet;
use std::{mem, thread};

use intercom_delivery::outbox::{OutboxError, Settlement, Verdict};
use rusqlite::{Transaction, TransactionBehavior};
use tokio::sync::mpsc::Receiver;

use super::leases::Leases;
use super::request::{Request, Write};
use super::{BATCH, Writer};
use crate::clock::{Millis, later};
use crate::error::Fault;
use crate::identity::Identity;
use crate::store::accept::{Refused, accept};
use crate::store::books::Books;
use crate::store::fresh::Fresh;
use crate::store::pending::Stored;
use crate::store::{letters, pending};

/// What is in a file that was deleted is still delivered. Nothing more goes into it, because the next start would not
/// find it.
const GONE: &str = "the file of the outbox was deleted or moved away; what is in it is still delivered, and nothing \
                    more is accepted until it is opened anew";

/// What changes in memory once the transaction is safe.
#[derive(Default)]
struct Effects {
    /// Events that were accepted.
    accepted: Vec<Stored>,
    /// Events whose lease has ended.
    settled: HashSet<i64>,
    /// Events that are due from some time on.
    due: Vec<(i64, Millis)>,
    /// Whether one of them was not known before.
    news: bool,
}

/// Requests that come while a transaction is under way, and can still ride in it.
struct Late<'r> {
    requests: &'r mut Receiver<Request>,
    /// One that cannot: it is the first of the next batch.
    other: Option<Request>,
}

impl Late<'_> {
    /// Adds all that have come so far.
    fn join(&mut self, writes: &mut Vec<Write>) {
        while self.other.is_none() && writes.len() < BATCH {
            match self.requests.try_recv() {
                Ok(Request::Write(write)) => writes.push(write),
                Ok(other) => self.other = Some(other),
                Err(_) => break,
            }
        }
    }
}

impl Writer {
    /// Does what is asked, and answers when it is safe. It comes back when nothing more is asked.
    pub(super) fn serve(&mut self, batch: &mut Vec<Request>, requests: &mut Receiver<Request>) {
        while !batch.is_empty() {
            let now = self.clock.now();
            let mut writes = Vec::with_capacity(batch.len());
            for request in batch.drain(..) {
                match request {
                    Request::Write(write) => writes.push(write),
                    other => self.serve_at_once(other, now),
                }
            }
            if writes.is_empty() {
                return;
            }
            let mut late = Late { requests, other: None };
            let written =
                self.ready().map(drop).and_then(|()| self.write(&mut writes, &mut late, now));
            batch.extend(late.other);
            match written {
                Ok(()) => {
                    writes.into_iter().for_each(Write::answer);
                    self.shorten_log();
                }
                Err(fault) => {
                    self.give_up(&fault);
                    self.make_certain();
                    self.make_room(&fault);
                    writes.into_iter().for_each(|write| write.fail(&fault));
                }
            }
        }
    }

    /// What changes nothing need not wait for what comes: it sees what is safe, and nothing else.
    fn serve_at_once(&mut self, request: Request, now: Millis) {
        let looked = self.ready().map(drop).and_then(|()| self.look());
        if let Err(fault) = &looked {
            self.give_up(fault);
        }
        match request {
            Request::Write(_) | Request::Look => {}
            Request::Tidy { reply } => {
                self.tidy_up();
                let _ = reply.send(());
            }
            Request::Lease { most, term, reply } => {
                let leased = self.ready().map(drop).and_then(|()| {
                    let conn = self.conn.as_ref().ok_or(Fault::ENDED)?;
                    Ok(self.leases.lease(conn, most, term, now)?)
                });
                if let Err(fault) = &leased {
                    self.give_up(fault);
                }
                let leased = leased.map_err(|fault| fault.to_error());
                if let Err(Ok(leased)) = reply.send(leased) {
                    self.leases.take_back(&leased);
                }
            }
        }
    }

    /// Does all of it in one transaction. If that fails, nothing was done.
    fn write(
        &mut self,
        writes: &mut Vec<Write>,
        late: &mut Late<'_>,
        now: Millis,
    ) -> Result<(), Fault> {
        let conn = self.conn.as_mut().ok_or(Fault::ENDED)?;
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = Books::read(&transaction)?;
        // Somebody else has written since it was last looked.
        let others = before != self.books;
        let mut work = Work {
            transaction: &transaction,
            books: before,
            fresh: &mut self.fresh,
            leases: &self.leases,
            effects: Effects { news: others, ..Effects::default() },
            now,
            is_file_there: false,
        };
        work.books.turn_over(now);
        let (mut done, mut looked) = (0, 0);
        loop {
            if done == writes.len() {
                late.join(writes);
                if done == writes.len() {
                    // Where all cores are busy, those whom the last commit has answered may just be about to ask again.
                    thread::yield_now();
                    late.join(writes);
                }
            }
            if looked < writes.len() && done == looked {
                // After all of these have asked, so that nobody is told that an event is safe in a file that is gone.
                work.is_file_there = self.identity == Identity::of(&self.path);
                looked = writes.len();
            }
            let Some(write) = writes.get_mut(done) else { break };
            work.perform(write)?;
            done += 1;
        }
        let Work { books, effects, .. } = work;
        self.tidy.ride(&transaction, books.memory(now), effects.settled.len())?;
        if books != before {
            books.write(&transaction)?;
        }
        let oldest = pending::oldest(&transaction)?;
        transaction.commit()?;
        self.doubts.commit = false;
        self.shared.committed();
        if mem::take(&mut self.troubled) {
            tracing::info!("the outbox works again");
        }
        if others {
            self.leases.look_again(before.newest);
        }
        for id in effects.settled {
            self.leases.forget(id);
        }
        for (id, due) in effects.due {
            self.leases.due(id, due);
        }
        for event in effects.accepted {
            self.leases.accepted(event);
        }
        self.books = books;
        self.shared.set_counts(books.counts_since(&self.base, oldest));
        if effects.news {
            self.shared.wake();
        }
        self.tidy.changed();
        Ok(())
    }
}

/// The transaction of a batch, and what has come of it so far.
struct Work<'w> {
    transaction: &'w Transaction<'w>,
    books: Books,
    fresh: &'w mut Fresh,
    leases: &'w Leases,
    effects: Effects,
    now: Millis,
    is_file_there: bool,
}

impl Work<'_> {
    fn perform(&mut self, write: &mut Write) -> rusqlite::Result<()> {
        let Work { transaction, books, fresh, effects, now, .. } = self;
        match write {
            Write::Accept { answer, .. } if !self.is_file_there => {
                answer.will_be(Err(OutboxError::new(GONE).into()));
            }
            Write::Accept { events, collisions, answer } => {
                effects.news |= !events.is_empty();
                let accepted = &mut effects.accepted;
                match accept(transaction, books, fresh, events, *collisions, *now, accepted) {
                    Ok(()) => answer.will_be(Ok(mem::take(events))),
                    Err(Refused::These(error)) => answer.will_be(Err(error)),
                    Err(Refused::All(error)) => return Err(error),
                }
            }
            Write::Settle { settlements, answer } => {
                let mut late = Vec::new();
                for settlement in settlements.iter() {
                    if !self.settle(settlement)? {
                        late.push(settlement.id);
                    }
                }
                answer.will_be(Ok(late));
            }
            Write::Redrive { which, answer } => {
                let redriven = letters::redrive(transaction, books, which, *now)?;
                effects.news |= !redriven.is_empty();
                answer.will_be(Ok(redriven.len() as u64));
                effects.due.extend(redriven.into_iter().map(|id| (id, *now)));
            }
            Write::Purge { which, answer } => {
                answer.will_be(Ok(letters::purge(transaction, books, which)?));
            }
        }
        Ok(())
    }

    /// Whether the lease was good, and had not been settled in this batch.
    fn settle(&mut self, settlement: &Settlement) -> rusqlite::Result<bool> {
        let Work { transaction, books, effects, now, .. } = self;
        let Settlement { id, token, verdict } = settlement;
        let Some(event) = self.leases.good(*id, *token, *now) else { return Ok(false) };
        if !effects.settled.insert(event.id) {
            return Ok(false);
        }
        match verdict {
            Verdict::Acknowledge => pending::acknowledge(transaction, books, event),
            Verdict::PutBack { after, attempts, failure } => {
                let due = later(*now, *after);
                effects.due.push((event.id, due));
                pending::put_back(transaction, event.id, due, *attempts, failure.as_ref())
            }
            Verdict::Bury { reason, attempts, failure } => {
                let failure = failure.as_ref();
                pending::bury(transaction, books, event, *reason, *attempts, failure, *now)
            }
        }
    }
}
