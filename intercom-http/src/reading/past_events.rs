//! The stream of a contact's events.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "futures-core")]
use futures_core::Stream;
use intercom_core::{Contact, Timestamp};

use super::cursor::Cursor;
use super::error::ReadError;
use super::page::Page;
use super::past_event::PastEvent;
use super::requests;
use crate::transport::Inner;

/// The limit of events on a page.
const MAX_PER_PAGE: u16 = 150;

type Fetch = Pin<Box<dyn Future<Output = Result<Page, ReadError>> + Send>>;

/// The events of a contact, newest first, as a `Stream` that requests pages on demand.
/// [`HttpTransport::events`](crate::HttpTransport::events) returns it.
///
/// An item is an event or an error. After [`ReadError::BadEvent`] the stream goes on with the next
/// event. Any other error ends the stream.
#[must_use = "nothing is asked for until the stream is polled"]
pub struct PastEvents {
    transport: Arc<Inner>,
    contact: Contact,
    per_page: Option<u16>,
    since: Option<Timestamp>,
    state: State,
    /// Events of the current page that the caller has not taken yet.
    ready: VecDeque<Result<PastEvent, ReadError>>,
    read: Read,
}

/// The action of the stream when no event is ready.
enum State {
    Begin,
    Fetching(Fetch),
    Next(Cursor),
    Ended,
}

/// The position of the reader.
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

    /// Sets the number of events per page. A number outside 1 to 150 becomes 1 or 150. By default,
    /// Intercom decides.
    pub fn per_page(mut self, per_page: u16) -> Self {
        self.per_page = Some(per_page.clamp(1, MAX_PER_PAGE));
        self
    }

    /// Omits events older than this, and requests no page after the first that has one. By default,
    /// the list has the events of the last 90 days, which are all that Intercom gives.
    pub fn since(mut self, time: impl Into<Timestamp>) -> Self {
        self.since = Some(time.into());
        self
    }

    /// Returns the next item, or `None` at the end. You need no `StreamExt` for this.
    ///
    /// Cancel-safe: a dropped call loses no event.
    pub async fn next(&mut self) -> Option<Result<PastEvent, ReadError>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn fetch(&self, cursor: Option<Cursor>) -> Fetch {
        let (transport, contact) = (Arc::clone(&self.transport), self.contact.clone());
        let (per_page, number) = (self.per_page, self.read.pages + 1);
        Box::pin(async move {
            requests::page(&transport, &contact, per_page, cursor.as_ref(), number).await
        })
    }

    /// Takes a page, and decides what follows.
    fn take(&mut self, page: Page) -> State {
        self.read.pages += 1;
        let was_empty = std::mem::replace(&mut self.read.last_was_empty, page.events.is_empty());
        let mut is_reached = false;
        for event in page.events {
            let created_at = match &event {
                Ok(event) => Some(event.created_at()),
                Err(bad) => bad.created_at,
            };
            // Reads the whole page, so that events in the wrong order are not lost.
            match created_at < self.since && created_at.is_some() {
                true => is_reached = true,
                false => self.ready.push_back(event.map_err(ReadError::BadEvent)),
            }
        }
        match page.next {
            // A second empty page in a row is the end, whatever page it names.
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

#[cfg(feature = "futures-core")]
impl Stream for PastEvents {
    type Item = Result<PastEvent, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl PastEvents {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<PastEvent, ReadError>>> {
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
