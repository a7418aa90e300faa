//! One batch: what rides in one transaction, and what its callers are told.

use std::collections::HashSet;

use intercom_delivery::outbox::{Settlement, Verdict};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc::Receiver;

use super::leases::Leases;
use super::request::{Request, Write};
use super::{BATCH, Writer};
use crate::clock::{Millis, later};
use crate::error::Fault;
use crate::store::accept::{Refused, accept};
use crate::store::books::Books;
use crate::store::{letters, pending};

/// What changes in memory once the transaction is safe.
#[derive(Default)]
struct Effects {
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
    fn next(&mut self) -> Option<Write> {
        if self.other.is_some() {
            return None;
        }
        match self.requests.try_recv().ok()? {
            Request::Write(write) => Some(write),
            other => {
                self.other = Some(other);
                None
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
        let mut books = before;
        books.turn_over(now);
        // Somebody else has written since it was last looked.
        let others = before != self.books;
        let mut effects = Effects { news: others, ..Effects::default() };
        let mut done = 0;
        loop {
            if done == writes.len() && done < BATCH {
                writes.extend(late.next());
            }
            let Some(write) = writes.get_mut(done) else { break };
            perform(&transaction, &mut books, &self.leases, &mut effects, write, now)?;
            done += 1;
        }
        self.tidy.ride(&transaction, books.memory(now), effects.settled.len())?;
        if books != before {
            books.write(&transaction)?;
        }
        let oldest = pending::oldest(&transaction)?;
        transaction.commit()?;
        self.doubts.commit = false;
        self.shared.committed();
        if std::mem::take(&mut self.troubled) {
            tracing::info!("the outbox works again");
        }
        if others {
            self.leases.look_again();
        }
        for id in effects.settled {
            self.leases.forget(id);
        }
        for (id, due) in effects.due {
            self.leases.due(id, due);
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

fn perform(
    transaction: &Transaction<'_>,
    books: &mut Books,
    leases: &Leases,
    effects: &mut Effects,
    write: &mut Write,
    now: Millis,
) -> rusqlite::Result<()> {
    match write {
        Write::Accept { events, collisions, answer } => {
            match accept(transaction, books, events, *collisions, now) {
                Ok(()) => {
                    effects.news |= !events.is_empty();
                    answer.will_be(Ok(()));
                }
                Err(Refused::These(error)) => answer.will_be(Err(error)),
                Err(Refused::All(error)) => return Err(error),
            }
        }
        Write::Settle { settlements, answer } => {
            let mut late = Vec::new();
            for settlement in settlements.iter() {
                if !settle(transaction, books, leases, effects, settlement, now)? {
                    late.push(settlement.id);
                }
            }
            answer.will_be(Ok(late));
        }
        Write::Redrive { which, answer } => {
            let redriven = letters::redrive(transaction, books, which, now)?;
            effects.news |= !redriven.is_empty();
            answer.will_be(Ok(redriven.len() as u64));
            effects.due.extend(redriven.into_iter().map(|id| (id, now)));
        }
        Write::Purge { which, answer } => {
            answer.will_be(Ok(letters::purge(transaction, books, which)?));
        }
    }
    Ok(())
}

/// Whether the lease was good, and had not been settled in this batch.
fn settle(
    conn: &Connection,
    books: &mut Books,
    leases: &Leases,
    effects: &mut Effects,
    settlement: &Settlement,
    now: Millis,
) -> rusqlite::Result<bool> {
    let Settlement { id, token, verdict } = settlement;
    let Some(event) = leases.good(*id, *token, now) else { return Ok(false) };
    if !effects.settled.insert(event.id) {
        return Ok(false);
    }
    let there = match verdict {
        Verdict::Acknowledge => pending::acknowledge(conn, books, event)?,
        Verdict::PutBack { after, attempts, failure } => {
            let due = later(now, *after);
            effects.due.push((event.id, due));
            pending::put_back(conn, event.id, due, *attempts, failure.as_ref())?
        }
        Verdict::Bury { reason, attempts, failure } => {
            pending::bury(conn, books, event, *reason, *attempts, failure.as_ref(), now)?
        }
    };
    Ok(there)
}
