//! One request under way: through the transport, within its time, and with panics contained.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use intercom_core::{
    Contact, ContactCreation, ErrorKind, OwnedSend, Receipt, SendError, Transport,
};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

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
    begun: Instant,
}

/// How a request ended.
pub(crate) enum Outcome {
    Taken(Receipt),
    Contact(ContactCreation),
    Failed(SendError),
    Panicked,
}

pub(crate) struct Ended {
    pub(crate) asked: Asked,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

pin_project! {
    pub(crate) struct Attempt {
        asked: Option<Asked>,
        exchange: Exchange,
        within: Duration,
        #[pin]
        limit: Sleep,
    }
}

type Creation = Pin<Box<dyn Future<Output = Result<ContactCreation, SendError>> + Send>>;

enum Exchange {
    Event(OwnedSend),
    Contact(Creation),
    /// The transport panicked before it gave a future.
    Panicked,
}

impl Attempt {
    pub(crate) fn new(
        transport: &Arc<dyn Transport>,
        subject: Subject,
        probe: bool,
        epoch: u64,
        within: Duration,
    ) -> Self {
        let transport = transport.clone();
        let begin = || match &subject {
            Subject::Event(lease) => Exchange::Event(transport.send_owned(lease.event.clone())),
            Subject::Contact(contact) => {
                let contact = contact.clone();
                Exchange::Contact(Box::pin(async move { transport.create_contact(&contact).await }))
            }
        };
        // What a transport leaves behind when it panics is its own; nothing of ours is touched meanwhile.
        let exchange = catch_unwind(AssertUnwindSafe(begin)).unwrap_or(Exchange::Panicked);
        let asked = Asked { subject, probe, epoch, begun: Instant::now() };
        Attempt { asked: Some(asked), exchange, within, limit: sleep(within) }
    }

    /// Gives up the request, and says what it was about.
    pub(crate) fn abandon(self: Pin<&mut Self>) -> Option<Subject> {
        self.project().asked.take().map(|asked| asked.subject)
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
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| this.exchange.poll(context)));
        let outcome = match polled.unwrap_or(Poll::Ready(Outcome::Panicked)) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending if this.limit.poll(context).is_pending() => return Poll::Pending,
            Poll::Pending => {
                let within = *this.within;
                Outcome::Failed(
                    SendError::new(ErrorKind::Timeout)
                        .with_detail(format!("the transport did not end within {within:?}")),
                )
            }
        };
        let asked = this.asked.take().expect("an attempt is not polled after its end");
        let took = asked.begun.elapsed();
        Poll::Ready(Ended { asked, outcome, took })
    }
}
