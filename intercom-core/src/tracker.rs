//! What an application holds to send events.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::contact::{Contact, ContactError};
use crate::data_event::DataEvent;
use crate::error::SendError;
use crate::event::{IdentifiedEvent, IntercomEvent};
use crate::event_name::EventName;
use crate::invalid::InvalidEvent;
use crate::receipt::Receipt;
use crate::transport::{OwnedSend, Transport};
use crate::value::{Timestamp, ToTimestamp};

/// Sends events through a [`Transport`]. Clone it freely: clones share the transport.
///
/// An event is encoded when `send` is called, and sent when what that gives is awaited: a [`Sending`],
/// which borrows neither the tracker nor the event, so that it can be spawned as it is.
///
/// ```
/// use intercom_core::testing::RecordingTransport;
/// use intercom_core::{Contact, IntercomEvent, SendError, Tracker};
///
/// #[derive(IntercomEvent)]
/// #[event(name = "project_created")]
/// struct ProjectCreated { project_id: u64, project_name: String }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), SendError> {
/// let tracker = Tracker::new(RecordingTransport::new());
/// let event = ProjectCreated { project_id: 7, project_name: "Apollo".into() };
/// tracker.for_contact(Contact::email("ada@example.com")).send(&event).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tracker {
    transport: Arc<dyn Transport>,
}

impl Tracker {
    /// A tracker that sends through this transport.
    pub fn new(transport: impl Transport + 'static) -> Self {
        Tracker { transport: Arc::new(transport) }
    }

    /// The same, for events of this contact.
    pub fn for_contact(&self, contact: Contact) -> ContactTracker {
        ContactTracker { tracker: self.clone(), contact }
    }

    /// Sends an event that names its own contact.
    ///
    /// Its time is that of its own field marked `created_at`, or else now.
    ///
    /// # Errors
    ///
    /// Fails at once when Intercom would refuse or misread the event, and otherwise when the transport
    /// did not get it through. See [`SendError`].
    pub fn send<E>(&self, event: &E) -> Sending
    where
        E: IdentifiedEvent + ?Sized,
    {
        self.dispatch(event, None, None)
    }

    /// As [`send`](Self::send), for an event that happened at another time than now. This time counts, also
    /// when the event has a field for it.
    ///
    /// Intercom counts events of any age, and lists those of the last 90 days.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_at<E, T>(&self, event: &E, time: T) -> Sending
    where
        T: ToTimestamp,
        E: IdentifiedEvent + ?Sized,
    {
        self.dispatch(event, None, Some(time.to_timestamp()))
    }

    fn dispatch<E>(&self, event: &E, contact: Option<&Contact>, time: Option<Timestamp>) -> Sending
    where
        E: IntercomEvent + ?Sized,
    {
        match encode(event, contact, time) {
            Ok(event) => Sending {
                name: event.event_name().clone(),
                state: State::Sending(self.transport.clone().send_owned(event)),
            },
            Err(error) => {
                tracing::debug!(event.name = error.event(), %error, "event not sent: it is invalid");
                Sending { name: error.event_name().clone(), state: State::Invalid(Some(error)) }
            }
        }
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").finish_non_exhaustive()
    }
}

/// Sends events of one contact. Made by [`Tracker::for_contact`].
#[derive(Clone, Debug)]
pub struct ContactTracker {
    tracker: Tracker,
    contact: Contact,
}

impl ContactTracker {
    /// Sends an event of this contact. Where the event's own fields name a contact, that one counts.
    ///
    /// Its time is that of its own field marked `created_at`, or else now.
    ///
    /// # Errors
    ///
    /// Fails at once when Intercom would refuse or misread the event, and otherwise when the transport
    /// did not get it through. See [`SendError`].
    pub fn send<E>(&self, event: &E) -> Sending
    where
        E: IntercomEvent + ?Sized,
    {
        self.tracker.dispatch(event, Some(&self.contact), None)
    }

    /// As [`send`](Self::send), for an event that happened at another time than now. This time counts, also
    /// when the event has a field for it.
    ///
    /// Intercom counts events of any age, and lists those of the last 90 days.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_at<E, T>(&self, event: &E, time: T) -> Sending
    where
        T: ToTimestamp,
        E: IntercomEvent + ?Sized,
    {
        self.tracker.dispatch(event, Some(&self.contact), Some(time.to_timestamp()))
    }
}

fn encode<E>(
    event: &E,
    contact: Option<&Contact>,
    time: Option<Timestamp>,
) -> Result<DataEvent, InvalidEvent>
where
    E: IntercomEvent + ?Sized,
{
    let contact = event
        .contact()
        .or_else(|| contact.cloned())
        .ok_or_else(|| InvalidEvent::new(event.event_name(), None, ContactError::Nobody.into()))?;
    let time = time.or_else(|| event.created_at()).unwrap_or_else(Timestamp::now);
    DataEvent::new(event, contact, time)
}

/// An event on its way: encoded, and sent when this is awaited.
///
/// It borrows nothing, whatever the event holds, and can be spawned as it is.
#[must_use = "an event is sent when this is awaited"]
pub struct Sending {
    name: EventName,
    state: State,
}

enum State {
    Invalid(Option<InvalidEvent>),
    Sending(OwnedSend),
}

impl Future for Sending {
    type Output = Result<Receipt, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let sent = match &mut self.state {
            State::Sending(sending) => ready!(sending.as_mut().poll(context)),
            State::Invalid(error) => match error.take() {
                Some(error) => return Poll::Ready(Err(error.into())),
                None => panic!("`Sending` was polled after it was done"),
            },
        };
        Poll::Ready(match sent {
            Ok(receipt) => {
                tracing::trace!(event.name = &*self.name, status = receipt.status(), "event taken");
                Ok(receipt)
            }
            Err(error) => {
                let error = error.with_event(self.name.clone());
                tracing::debug!(event.name = error.event(), %error, "event not taken");
                Err(error)
            }
        })
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("name", &self.name).finish_non_exhaustive()
    }
}
