//! The stream of a contact's events.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use intercom_core::{Contact, Timestamp};

use super::cursor::Cursor;
use super::error::ReadError;
use super::page::Page;
use super::past_event::PastEvent;
use super::requests;
use crate::transport::Inner;

/// The most events of one page.
const MAX_PER_PAGE: u16 = 150;

type Fetch = Pin<Box<dyn Future<Output = Result<Page, ReadError>> + Send>>;

/// The events of a contact, newest first: a `Stream`, which asks for a page when it is needed. Given by
/// [`HttpTransport::events`](crate::HttpTransport::events).
///
/// An item is an event, or an error. After [`ReadError::BadEvent`] the stream goes on with the next event. After every other
/// error it ends.
#[must_use = "nothing is asked for until the stream is polled"]
pub struct PastEvents {
    transport: Arc<Inner>,
    contact: Contact,
    per_page: Option<u16>,
    since: Option<Timestamp>,
    state: State,
    /// Events that were read and not yet taken.
    ready: VecDeque<Result<PastEvent, ReadError>>,
    read: Read,
}

/// What the stream does when no event is ready.
enum State {
    Begin,
    Fetching(Fetch),
    Next(Cursor),
    Ended,
}

/// What was read so far.
#[derive(Default)]
struct Read {
    pages: u64,
    cursors: HashSet<Cursor>,
    last_was_empty: bool,
}

impl PastEvents {
    pub(crate) fn new(transport: Arc<Inner>, contact: Contact) -> Self {
        PastEvents {
            transport,
            contact,
            per_page: None,
            since: None,
            state: State::Begin,
            ready: VecDeque::new(),
            read: Read::default(),
        }
    }

    /// Asks for so many events at a time, from 1 to 150; a number beyond is read as the nearest. The default is
    /// Intercom's own.
    pub fn per_page(mut self, per_page: u16) -> Self {
        self.per_page = Some(per_page.clamp(1, MAX_PER_PAGE));
        self
    }

    /// Ends the list before the first event that is older than this. The default is all that Intercom lists: 90 days.
    pub fn since(mut self, time: impl Into<Timestamp>) -> Self {
        self.since = Some(time.into());
        self
    }

    /// Returns the next item; `None` at the end. It is the `next` of a stream, for programs without a crate of such methods.
    ///
    /// Cancel-safe: a call that is dropped loses no event.
    pub async fn next(&mut self) -> Option<Result<PastEvent, ReadError>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    fn fetch(&self, cursor: Option<Cursor>) -> Fetch {
        let (transport, contact) = (Arc::clone(&self.transport), self.contact.clone());
        let (per_page, number) = (self.per_page, self.read.pages + 1);
        Box::pin(async move {
            requests::page(&transport, &contact, per_page, cursor.as_ref(), number).await
        })
    }

    /// Takes a page, and decides what comes after it.
    fn take(&mut self, page: Page) -> State {
        self.read.pages += 1;
        let was_empty = std::mem::replace(&mut self.read.last_was_empty, page.events.is_empty());
        let mut is_reached = false;
        for event in page.events {
            let created_at = match &event {
                Ok(event) => Some(event.created_at()),
                Err(bad) => bad.created_at,
            };
            // The rest of the page is looked at too: of events in the wrong order none is lost.
            match created_at < self.since && created_at.is_some() {
                true => is_reached = true,
                false => self.ready.push_back(event.map_err(ReadError::BadEvent)),
            }
        }
        match page.next {
            // A second empty page in a row is the end, whatever it names.
            Some(_) if was_empty && self.read.last_was_empty => State::Ended,
            Some(next) if !is_reached => match self.read.cursors.insert(next.clone()) {
                true => State::Next(next),
                false => {
                    let page = self.read.pages;
                    self.ready.push_back(Err(ReadError::RepeatedCursor { page }));
                    State::Ended
                }
            },
            _ => State::Ended,
        }
    }
}

impl Stream for PastEvents {
    type Item = Result<PastEvent, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Begin => State::Fetching(self.fetch(None)),
                State::Next(cursor) => State::Fetching(self.fetch(Some(cursor))),
                State::Fetching(mut fetch) => match fetch.as_mut().poll(context) {
                    Poll::Ready(Ok(page)) => self.take(page),
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Pending => {
                        self.state = State::Fetching(fetch);
                        return Poll::Pending;
                    }
                },
                State::Ended => return Poll::Ready(None),
            };
        }
    }
}

impl fmt::Debug for PastEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastEvents")
            .field("contact", &self.contact)
            .field("per_page", &self.per_page)
            .field("since", &self.since)
            .field("pages_read", &self.read.pages)
            .finish_non_exhaustive()
    }
}
