//! One request under way, with panics of the transport contained.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use intercom_core::{Contact, ContactCreation, OwnedSend, Receipt, SendError, Transport};
use tokio::time::Instant;

use crate::outbox::Lease;

/// What a request is about.
pub(crate) enum Subject {
    Event(Lease),
    Contact(Contact),
}

/// A request that was begun.
pub(crate) struct Asked {
    pub(crate) subject: Subject,
    /// Whether it tries if the line is open again.
    pub(crate) probe: bool,
    /// How often the transport had been changed when it began.
    pub(crate) epoch: u64,
    pub(crate) begun: Instant,
}

/// How a request ended.
pub(crate) enum Outcome {
    Taken(Receipt),
    Contact(ContactCreation),
    Failed(SendError),
    Panicked,
}

/// A request under way.
pub(crate) struct Attempt {
    asked: Option<Asked>,
    exchange: Exchange,
}

type Creation = Pin<Box<dyn Future<Output = Result<ContactCreation, SendError>> + Send>>;

enum Exchange {
    Event(OwnedSend),
    Contact(Creation),
    /// The transport panicked before it gave a future.
    Panicked,
}

impl Attempt {
    pub(crate) fn new(transport: &Arc<dyn Transport>, asked: Asked) -> Self {
        let transport = transport.clone();
        let begin = || match &asked.subject {
            Subject::Event(lease) => Exchange::Event(transport.send_owned(lease.event.clone())),
            Subject::Contact(contact) => {
                let contact = contact.clone();
                Exchange::Contact(Box::pin(async move { transport.create_contact(&contact).await }))
            }
        };
        // What a transport leaves behind when it panics is its own; nothing of ours is touched meanwhile.
        let exchange = catch_unwind(AssertUnwindSafe(begin)).unwrap_or(Exchange::Panicked);
        Attempt { asked: Some(asked), exchange }
    }

    /// Gives the request up, and says what it was about.
    pub(crate) fn give_up(mut self) -> Option<Asked> {
        self.asked.take()
    }

    /// When it began.
    pub(crate) fn begun(&self) -> Option<Instant> {
        self.asked.as_ref().map(|asked| asked.begun)
    }
}

impl Exchange {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        match self {
            Exchange::Event(send) => send.as_mut().poll(context).map(|sent| match sent {
                Ok(receipt) => Outcome::Taken(receipt),
                Err(error) => Outcome::Failed(error),
            }),
            Exchange::Contact(creation) => {
                creation.as_mut().poll(context).map(|ended| match ended {
                    Ok(creation) => Outcome::Contact(creation),
                    Err(error) => Outcome::Failed(error),
                })
            }
            Exchange::Panicked => Poll::Ready(Outcome::Panicked),
        }
    }
}

impl Future for Attempt {
    type Output = (Asked, Outcome);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let polled = catch_unwind(AssertUnwindSafe(|| this.exchange.poll(context)));
        let outcome = ready!(polled.unwrap_or(Poll::Ready(Outcome::Panicked)));
        let asked = this.asked.take().expect("an attempt is not polled after its end");
        Poll::Ready((asked, outcome))
    }
}
