//! The handle that an application sends events with.

use std::fmt;
use std::sync::Arc;

use crate::contact::{Contact, ContactError};
use crate::data_event::DataEvent;
use crate::error::SendError;
use crate::event::{IdentifiedEvent, IntercomEvent};
use crate::invalid::{InvalidEvent, Reason};
use crate::receipt::Receipt;
use crate::rules::EARLIEST_NOW;
use crate::sending::Sending;
use crate::transport::{ContactCreation, Transport};
use crate::value::{Timestamp, ToTimestamp};

/// Sends events through a [`Transport`]. Clones share the transport.
///
/// `send` encodes an event at once and returns a [`Sending`]. Awaiting the `Sending` sends the
/// event. A `Sending` borrows neither the tracker nor the event, so you can spawn it. [`Sending`]
/// documents what happens when you drop it.
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
    /// If you have an `Arc<dyn Transport>`, use `Tracker::from`: it saves an allocation and an
    /// indirection.
    pub fn new(transport: impl Transport + 'static) -> Self {
        Tracker { transport: Arc::new(transport) }
    }

    /// Returns a tracker for events of this contact.
    pub fn for_contact(&self, contact: Contact) -> ContactTracker {
        ContactTracker { tracker: self.clone(), contact }
    }

    /// Sends an event that names its own contact.
    ///
    /// The event's time is its field marked `created_at`, or else now.
    ///
    /// Synchronous code can block: `handle.block_on(tracker.send(&event))`, with the handle of the
    /// runtime on which the transport was built. Never block on one of that runtime's own threads.
    ///
    /// # Errors
    ///
    /// The returned future fails when Intercom would refuse or misread the event. It fails when the
    /// event gets the current time, and this machine's clock is not set. In both cases, nothing is
    /// sent. It fails when the transport cannot deliver the event. See [`SendError`].
    pub fn send<E>(&self, event: &E) -> Sending
    where
        E: IdentifiedEvent,
    {
        self.dispatch(event, None, None)
    }

    /// Sends an event that happened at `time`, as [`send`](Self::send) does. This time overrides a
    /// field marked `created_at`.
    ///
    /// Intercom counts events of any age, and lists those of the last 90 days.
    ///
    /// # Errors
    ///
    /// Fails as [`send`](Self::send) does.
    pub fn send_at<E, T>(&self, event: &E, time: T) -> Sending
    where
        T: ToTimestamp,
        E: IdentifiedEvent,
    {
        self.dispatch(event, None, Some(time.to_timestamp()))
    }

    /// Encodes an event that names its own contact, without sending it.
    ///
    /// The event's time is its field marked `created_at`, or else now. Send the result, and retry
    /// it, with [`send_prepared`](Self::send_prepared), or give it to an outbox.
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread the event. Fails when the event gets the current
    /// time, and this machine's clock is not set.
    pub fn prepare<E>(&self, event: &E) -> Result<DataEvent, InvalidEvent>
    where
        E: IdentifiedEvent,
    {
        encode(event, None, None)
    }

    /// Encodes an event that happened at `time`, as [`prepare`](Self::prepare) does. This time
    /// overrides a field marked `created_at`.
    ///
    /// # Errors
    ///
    /// Fails as [`prepare`](Self::prepare) does.
    pub fn prepare_at<E, T>(&self, event: &E, time: T) -> Result<DataEvent, InvalidEvent>
    where
        T: ToTimestamp,
        E: IdentifiedEvent,
    {
        encode(event, None, Some(time.to_timestamp()))
    }

    /// Sends an encoded event.
    ///
    /// Retry with this method. It sends the same bytes with the same `created_at`, by which
    /// Intercom recognizes a repetition. A second call of `send` would make a second event.
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
    /// Sends the event's [derived](DataEvent::derived) events too. A delivery accepts all of them
    /// or none. Any other transport sends them in turn after the event, and stops at the first
    /// error.
    ///
    /// # Errors
    ///
    /// Fails when the transport cannot deliver the event or a derived event. The [`SendError`]
    /// names which event failed.
    pub fn send_prepared(&self, event: DataEvent) -> Sending {
        let name = event.event_name().clone();
        if event.derived().is_empty() {
            return Sending::new(name, Arc::clone(&self.transport).send(event));
        }
        Sending::new(name, Box::pin(send_in_turn(Arc::clone(&self.transport), event)))
    }

    /// Creates the contact in Intercom as a user, unless it exists.
    ///
    /// # Errors
    ///
    /// Fails when the transport can neither create nor find the contact. A transport that cannot
    /// create contacts fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
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
                tracing::debug!(event.name = error.event_name().as_str(), %error, "event not sent: it is invalid");
                Sending::invalid(error)
            }
        }
    }
}

/// Sends through a shared transport, without another allocation or indirection.
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

/// Sends events of one contact. [`Tracker::for_contact`] returns it.
#[derive(Clone, Debug)]
pub struct ContactTracker {
    tracker: Tracker,
    contact: Contact,
}

impl ContactTracker {
    /// Sends an event of this contact. If the event's own fields name a contact, that one counts.
    ///
    /// The event's time is its field marked `created_at`, or else now.
    ///
    /// # Errors
    ///
    /// The returned future fails when Intercom would refuse or misread the event. It fails when the
    /// event gets the current time, and this machine's clock is not set. In both cases, nothing is
    /// sent. It fails when the transport cannot deliver the event. See [`SendError`].
    pub fn send<E>(&self, event: &E) -> Sending
    where
        E: IntercomEvent,
    {
        self.tracker.dispatch(event, Some(&self.contact), None)
    }

    /// Sends an event that happened at `time`, as [`send`](Self::send) does. This time overrides a
    /// field marked `created_at`.
    ///
    /// Intercom counts events of any age, and lists those of the last 90 days.
    ///
    /// # Errors
    ///
    /// Fails as [`send`](Self::send) does.
    pub fn send_at<E, T>(&self, event: &E, time: T) -> Sending
    where
        T: ToTimestamp,
        E: IntercomEvent,
    {
        self.tracker.dispatch(event, Some(&self.contact), Some(time.to_timestamp()))
    }

    /// Encodes an event of this contact, without sending it. If the event's own fields name a
    /// contact, that one counts.
    ///
    /// The event's time is its field marked `created_at`, or else now. Send the result, and retry
    /// it, with [`Tracker::send_prepared`], or give it to an outbox.
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread the event. Fails when the event gets the current
    /// time, and this machine's clock is not set.
    pub fn prepare<E>(&self, event: &E) -> Result<DataEvent, InvalidEvent>
    where
        E: IntercomEvent,
    {
        encode(event, Some(&self.contact), None)
    }

    /// Encodes an event that happened at `time`, as [`prepare`](Self::prepare) does. This time
    /// overrides a field marked `created_at`.
    ///
    /// # Errors
    ///
    /// Fails as [`prepare`](Self::prepare) does.
    pub fn prepare_at<E, T>(&self, event: &E, time: T) -> Result<DataEvent, InvalidEvent>
    where
        T: ToTimestamp,
        E: IntercomEvent,
    {
        encode(event, Some(&self.contact), Some(time.to_timestamp()))
    }
}

/// Sends an event, then its derived events. A transport that accepted the event for later delivery
/// has accepted them too.
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
            sent.map_err(|error| error.with_event_name(name))?;
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
    let contact = event.event_contact().or_else(|| contact.cloned()).ok_or_else(|| {
        InvalidEvent::new(event.event_name(), None, ContactError::NoIdentifier.into())
    })?;
    let time = match time.or_else(|| event.event_created_at()) {
        Some(time) => time,
        None => plausible(Timestamp::now())
            .map_err(|reason| InvalidEvent::new(event.event_name(), None, reason))?,
    };
    DataEvent::new(event, contact, time)
}

/// Returns the time of the clock, if that can be.
fn plausible(now: Timestamp) -> Result<Timestamp, Reason> {
    match now.unix_seconds() < EARLIEST_NOW {
        true => Err(Reason::ClockNotSet),
        false => Ok(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_not_set_gives_no_time() {
        for seconds in [-1, 0, 301, EARLIEST_NOW - 1] {
            let error = plausible(Timestamp::from_unix_seconds(seconds)).unwrap_err();
            assert_eq!(error, Reason::ClockNotSet, "{seconds}");
            assert!(error.to_string().contains("set the clock"), "{error}");
        }
        let now = Timestamp::from_unix_seconds(EARLIEST_NOW);
        assert_eq!(plausible(now), Ok(now));
        assert!(plausible(Timestamp::now()).is_ok());
    }
}
