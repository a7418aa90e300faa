//! What an application holds to send events.

use std::fmt;
use std::sync::Arc;

use crate::contact::{Contact, ContactError};
use crate::data_event::DataEvent;
use crate::error::SendError;
use crate::event::{IdentifiedEvent, IntercomEvent};
use crate::invalid::InvalidEvent;
use crate::receipt::Receipt;
use crate::sending::Sending;
use crate::transport::{ContactCreation, Transport};
use crate::value::{Timestamp, ToTimestamp};

/// Sends events through a [`Transport`]. Clone it freely: clones share the transport.
///
/// An event is encoded when `send` is called, and sent when what that gives is awaited: a [`Sending`],
/// which borrows neither the tracker nor the event, so that it can be spawned as it is. [`Sending`] says what
/// happens when it is dropped instead.
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
    /// Creates a tracker that sends through this transport.
    ///
    /// An `Arc<dyn Transport>` becomes a tracker by [`From`] too, which saves one indirection.
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
    /// Code that is not `async` blocks on it, with the handle of the runtime that the transport was made on:
    /// `handle.block_on(tracker.send(&event))`. It must not do so on one of that runtime's own threads.
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

    /// Encodes an event that names its own contact, without sending it.
    ///
    /// Its time is that of its own field marked `created_at`, or else now. Send it, and send it again,
    /// with [`send_prepared`](Self::send_prepared), or hand it to an outbox.
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

    /// Encodes an event that happened at another time than now, as [`prepare`](Self::prepare) does.
    /// This time counts, also when the event has a field for it.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub fn prepare_at<E, T>(&self, event: &E, time: T) -> Result<DataEvent, InvalidEvent>
    where
        T: ToTimestamp,
        E: IdentifiedEvent,
    {
        encode(event, None, Some(time.to_timestamp()))
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
    /// Events that are [derived](DataEvent::derived) from it are sent too. A delivery accepts all of them or none. Any
    /// other transport sends them in turn after the event, and the first error ends that.
    ///
    /// # Errors
    ///
    /// Fails when the transport did not get the event, or one that is derived from it, through. See [`SendError`],
    /// which names the event.
    pub fn send_prepared(&self, event: DataEvent) -> Sending {
        let name = event.event_name().clone();
        if event.derived().is_empty() {
            return Sending::new(name, Arc::clone(&self.transport).send(event));
        }
        Sending::new(name, Box::pin(send_in_turn(Arc::clone(&self.transport), event)))
    }

    /// Creates the contact in Intercom as a user, if it does not exist yet.
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
                tracing::debug!(event.name = error.event(), %error, "event not sent: it is invalid");
                Sending::invalid(error)
            }
        }
    }
}

/// Sends through a transport that is shared already, without another allocation or indirection.
///
/// ```
/// use std::sync::Arc;
///
/// use intercom_core::testing::RecordingTransport;
/// use intercom_core::{Tracker, Transport};
///
/// let transport: Arc<dyn Transport> = Arc::new(RecordingTransport::new());
/// let tracker = Tracker::from(transport);
/// ```
impl From<Arc<dyn Transport>> for Tracker {
    fn from(transport: Arc<dyn Transport>) -> Self {
        Tracker { transport }
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

    /// Encodes an event of this contact, without sending it. Where the event's own fields name a
    /// contact, that one counts.
    ///
    /// Its time is that of its own field marked `created_at`, or else now. Send it, and send it again,
    /// with [`Tracker::send_prepared`], or hand it to an outbox.
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

    /// Encodes an event that happened at another time than now, as [`prepare`](Self::prepare) does.
    /// This time counts, also when the event has a field for it.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub fn prepare_at<E, T>(&self, event: &E, time: T) -> Result<DataEvent, InvalidEvent>
    where
        T: ToTimestamp,
        E: IntercomEvent,
    {
        encode(event, Some(&self.contact), Some(time.to_timestamp()))
    }
}

/// Sends an event, and then those that are derived from it. A transport that accepted the event for later has
/// accepted them with it.
async fn send_in_turn(
    transport: Arc<dyn Transport>,
    event: DataEvent,
) -> Result<Receipt, SendError> {
    let derived = event.clone().split_derived().1;
    let receipt = Arc::clone(&transport).send(event).await?;
    if receipt.is_delivered() {
        for event in derived {
            let name = event.event_name().clone();
            let sent = Arc::clone(&transport).send(event).await;
            sent.map_err(|error| error.with_event(name))?;
        }
    }
    Ok(receipt)
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
