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
use crate::transport::{ContactCreation, OwnedSend, Transport};
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
        E: IdentifiedEvent,
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
        E: IdentifiedEvent,
    {
        self.dispatch(event, None, Some(time.to_timestamp()))
    }

    /// Hands over an event that names its own contact for delivery later, without waiting: for code that is not
    /// `async`. It takes a transport that accepts events for later, such as a delivery engine.
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread the event, when there is no room for it, and with a transport
    /// that sends at once.
    pub fn try_send<E>(&self, event: &E) -> Result<Receipt, SendError>
    where
        E: IdentifiedEvent,
    {
        self.hand_over(event, None, None)
    }

    /// As [`try_send`](Self::try_send), for an event that happened at another time than now.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_at<E, T>(&self, event: &E, time: T) -> Result<Receipt, SendError>
    where
        T: ToTimestamp,
        E: IdentifiedEvent,
    {
        self.hand_over(event, None, Some(time.to_timestamp()))
    }

    /// Encodes an event that names its own contact, without sending it: to send it, and perhaps to send it
    /// again, with [`send_prepared`](Self::send_prepared).
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread the event.
    pub fn prepare<E>(&self, event: &E) -> Result<DataEvent, InvalidEvent>
    where
        E: IdentifiedEvent,
    {
        encode(event, None, None)
    }

    /// Sends an event that is encoded already.
    ///
    /// This is how to send again: with the same bytes, and so with the same second, by which Intercom
    /// knows a repetition. Calling `send` again would make another event of it.
    ///
    /// ```
    /// # use intercom_core::testing::{FailingTransport, RecordingTransport};
    /// # use intercom_core::{Contact, DynamicEvent, ErrorKind, SendError, Tracker};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), SendError> {
    /// # let failing = FailingTransport::new(RecordingTransport::new()).fail(ErrorKind::Timeout);
    /// # let tracker = Tracker::new(failing.clone());
    /// # let event = DynamicEvent::new("project_created")?;
    /// let prepared = tracker.for_contact(Contact::user_id(42)).prepare(&event)?;
    /// while let Err(error) = tracker.send_prepared(prepared.clone()).await {
    ///     if !error.is_retryable() {
    ///         return Err(error);
    ///     }
    ///     // Wait for `error.retry_after()`, or longer each time.
    /// }
    /// # assert_eq!(failing.attempts(), [prepared.clone(), prepared]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the transport did not get it through. See [`SendError`].
    pub fn send_prepared(&self, event: DataEvent) -> Sending {
        Sending {
            name: event.event_name().clone(),
            state: State::Sending(self.transport.clone().send_owned(event)),
        }
    }

    /// Makes the contact known to Intercom, as a user, if it is not yet.
    ///
    /// # Errors
    ///
    /// Fails when the contact could be neither created nor found, and when the transport cannot do this.
    pub async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        self.transport.create_contact(contact).await
    }

    fn dispatch<E>(&self, event: &E, contact: Option<&Contact>, time: Option<Timestamp>) -> Sending
    where
        E: IntercomEvent,
    {
        match encode(event, contact, time) {
            Ok(event) => self.send_prepared(event),
            Err(error) => {
                log_invalid(&error);
                Sending { name: error.event_name().clone(), state: State::Invalid(Some(error)) }
            }
        }
    }

    fn hand_over<E>(
        &self,
        event: &E,
        contact: Option<&Contact>,
        time: Option<Timestamp>,
    ) -> Result<Receipt, SendError>
    where
        E: IntercomEvent,
    {
        let event = encode(event, contact, time).inspect_err(log_invalid)?;
        let name = event.event_name().clone();
        tell(&name, self.transport.try_send(event))
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
        E: IntercomEvent,
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
        E: IntercomEvent,
    {
        self.tracker.dispatch(event, Some(&self.contact), Some(time.to_timestamp()))
    }

    /// Hands over an event of this contact for delivery later, without waiting: for code that is not `async`. Where
    /// the event's own fields name a contact, that one counts. See [`Tracker::try_send`].
    ///
    /// ```
    /// use intercom_core::testing::RecordingTransport;
    /// use intercom_core::{Contact, DynamicEvent, ErrorKind, Tracker};
    ///
    /// # fn main() -> Result<(), intercom_core::InvalidEvent> {
    /// let ada = Tracker::new(RecordingTransport::new()).for_contact(Contact::user_id(42));
    /// let event = DynamicEvent::new("project_created")?;
    /// // This transport is not one that accepts for later.
    /// assert_eq!(ada.try_send(&event).unwrap_err().kind(), ErrorKind::Unsupported);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Tracker::try_send`].
    pub fn try_send<E>(&self, event: &E) -> Result<Receipt, SendError>
    where
        E: IntercomEvent,
    {
        self.tracker.hand_over(event, Some(&self.contact), None)
    }

    /// As [`try_send`](Self::try_send), for an event that happened at another time than now.
    ///
    /// # Errors
    ///
    /// As [`Tracker::try_send`].
    pub fn try_send_at<E, T>(&self, event: &E, time: T) -> Result<Receipt, SendError>
    where
        T: ToTimestamp,
        E: IntercomEvent,
    {
        self.tracker.hand_over(event, Some(&self.contact), Some(time.to_timestamp()))
    }

    /// Encodes an event of this contact, without sending it: to send it, and perhaps to send it again,
    /// with [`Tracker::send_prepared`].
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread the event.
    pub fn prepare<E>(&self, event: &E) -> Result<DataEvent, InvalidEvent>
    where
        E: IntercomEvent,
    {
        encode(event, Some(&self.contact), None)
    }
}

fn encode<E>(
    event: &E,
    contact: Option<&Contact>,
    time: Option<Timestamp>,
) -> Result<DataEvent, InvalidEvent>
where
    E: IntercomEvent,
{
    let contact = event
        .event_contact()
        .or_else(|| contact.cloned())
        .ok_or_else(|| InvalidEvent::new(event.event_name(), None, ContactError::Nobody.into()))?;
    let time = time.or_else(|| event.event_created_at()).unwrap_or_else(Timestamp::now);
    DataEvent::new(event, contact, time)
}

fn log_invalid(error: &InvalidEvent) {
    tracing::debug!(event.name = error.event(), %error, "event not sent: it is invalid");
}

/// Logs how an event was taken, and names it in the error.
fn tell(name: &EventName, sent: Result<Receipt, SendError>) -> Result<Receipt, SendError> {
    match sent {
        Ok(receipt) => {
            tracing::trace!(event.name = &**name, status = receipt.status(), "event taken");
            Ok(receipt)
        }
        Err(error) => {
            let error = error.with_event(name.clone());
            tracing::debug!(event.name = error.event(), %error, "event not taken");
            Err(error)
        }
    }
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
        Poll::Ready(tell(&self.name, sent))
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("name", &self.name).finish_non_exhaustive()
    }
}
