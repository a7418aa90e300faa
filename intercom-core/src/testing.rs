//! Transports for your tests: one records events, and one fails as the test asks.

mod assertion;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::contact::Contact;
use crate::data_event::DataEvent;
use crate::error::{ErrorKind, SendError};
use crate::event::IntercomEvent;
use crate::receipt::Receipt;
use crate::transport::{ContactCreation, Transport};
use assertion::Expected;

/// Accepts every event and records it.
///
/// A clone shares the record: give one to the tracker and keep the other.
///
/// ```
/// use intercom_core::testing::RecordingTransport;
/// use intercom_core::{Contact, IntercomEvent, Tracker};
///
/// #[derive(IntercomEvent)]
/// #[event(name = "project_created")]
/// struct ProjectCreated { project_id: u64 }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), intercom_core::SendError> {
/// let sent = RecordingTransport::new();
/// let tracker = Tracker::new(sent.clone());
///
/// let ada = Contact::email("ada@example.com");
/// tracker.for_contact(ada.clone()).send(&ProjectCreated { project_id: 7 }).await?;
///
/// let event = sent.assert_sent(&ProjectCreated { project_id: 7 });
/// assert_eq!(event.contact(), &ada);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct RecordingTransport {
    events: Arc<Mutex<Vec<DataEvent>>>,
    contacts: Arc<Mutex<Vec<Contact>>>,
}

impl RecordingTransport {
    /// Creates a transport with an empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the events recorded so far, in order.
    pub fn events(&self) -> Vec<DataEvent> {
        lock(&self.events).clone()
    }

    /// Asserts that an event with this name and metadata was sent, and returns it.
    ///
    /// The assertion compares contact and time where the event's own fields give them. Otherwise,
    /// check them on the returned event.
    ///
    /// # Panics
    ///
    /// Panics when no such event was sent. The message shows the sent events and their values, with
    /// sensitive values masked:
    ///
    /// ```should_panic
    /// # use intercom_core::testing::RecordingTransport;
    /// # use intercom_core::{Contact, IntercomEvent, Tracker};
    /// # #[derive(IntercomEvent)]
    /// # #[event(name = "project_created")]
    /// # struct ProjectCreated { project_id: u64 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), intercom_core::SendError> {
    /// # let sent = RecordingTransport::new();
    /// # let ada = Tracker::new(sent.clone()).for_contact(Contact::email("ada@example.com"));
    /// ada.send(&ProjectCreated { project_id: 8 }).await?;
    /// sent.assert_sent(&ProjectCreated { project_id: 7 });
    /// // the event `project_created` was not sent as expected
    /// //   event 1 of 1:
    /// //     project_id: expected 7, was 8
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_sent<E>(&self, event: &E) -> DataEvent
    where
        E: IntercomEvent,
    {
        let expected = Expected::new(event);
        match expected.find(&self.events()) {
            Ok(event) => event.clone(),
            Err(message) => panic!("{message}"),
        }
    }

    /// Asserts that no event was sent since the last [`take`](Self::take).
    ///
    /// # Panics
    ///
    /// Panics when an event was sent. The message shows each event and its values, with sensitive
    /// values masked.
    #[track_caller]
    pub fn assert_nothing_sent(&self) {
        let events = self.events();
        assert!(events.is_empty(), "nothing was to be sent, and {}", assertion::list(&events));
    }

    /// Returns the contacts created so far, in order. [`take`](Self::take) does not clear them.
    pub fn contacts(&self) -> Vec<Contact> {
        lock(&self.contacts).clone()
    }

    /// Returns the events recorded so far, and forgets them.
    pub fn take(&self) -> Vec<DataEvent> {
        std::mem::take(&mut lock(&self.events))
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl Transport for RecordingTransport {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        lock(&self.events).push(event);
        Ok(Receipt::delivered(202))
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        let mut contacts = lock(&self.contacts);
        if contacts.contains(contact) {
            return Ok(ContactCreation::Existed);
        }
        contacts.push(contact.clone());
        Ok(ContactCreation::Created)
    }
}

impl fmt::Debug for RecordingTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingTransport").field("events", &lock(&self.events)).finish()
    }
}

/// Returns the errors that a test asks for, in order. Then it forwards events to another transport.
///
/// It forwards every [`create_contact`](Transport::create_contact). Clones share the errors and the
/// attempts.
///
/// ```
/// use intercom_core::testing::{FailingTransport, RecordingTransport};
/// use intercom_core::{Contact, DynamicEvent, ErrorKind, SendError, Tracker};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), intercom_core::SendError> {
/// let sent = RecordingTransport::new();
/// let failing = FailingTransport::new(sent.clone())
///     .fail(ErrorKind::RateLimited)
///     .fail_with(SendError::new(ErrorKind::Unavailable).with_status(503));
///
/// let ada = Tracker::new(failing.clone()).for_contact(Contact::email("ada@example.com"));
/// let event = DynamicEvent::new("project_created")?;
///
/// assert!(ada.send(&event).await.unwrap_err().is_retryable());
/// assert_eq!(ada.send(&event).await.unwrap_err().status(), Some(503));
/// ada.send(&event).await?;
/// assert_eq!((failing.attempts().len(), sent.events().len()), (3, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FailingTransport {
    inner: Arc<dyn Transport>,
    state: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    failures: VecDeque<SendError>,
    afterwards: Option<ErrorKind>,
    attempts: Vec<DataEvent>,
}

impl FailingTransport {
    /// Creates a transport that forwards every event to `inner`, except those that
    /// [`fail`](Self::fail) and [`fail_with`](Self::fail_with) make fail.
    pub fn new(inner: impl Transport + 'static) -> Self {
        FailingTransport { inner: Arc::new(inner), state: Arc::default() }
    }

    /// Creates a transport that fails every event with an error of this kind.
    pub fn always(kind: ErrorKind) -> Self {
        let transport = Self::new(RecordingTransport::new());
        transport.script().afterwards = Some(kind);
        transport
    }

    /// Fails one more event with an error of this kind.
    #[must_use]
    pub fn fail(self, kind: ErrorKind) -> Self {
        self.fail_with(SendError::new(kind))
    }

    /// Fails one more event with this error.
    #[must_use]
    pub fn fail_with(self, error: SendError) -> Self {
        self.script().failures.push_back(error);
        self
    }

    /// Returns every attempted event in order, failed or not.
    pub fn attempts(&self) -> Vec<DataEvent> {
        self.script().attempts.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.state)
    }

    fn next(&self, event: &DataEvent) -> Result<(), SendError> {
        let mut script = self.script();
        script.attempts.push(event.clone());
        match script.failures.pop_front().or_else(|| script.afterwards.map(SendError::new)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl Transport for FailingTransport {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        self.next(&event)?;
        Arc::clone(&self.inner).send(event).await
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        self.inner.create_contact(contact).await
    }
}

impl fmt::Debug for FailingTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("FailingTransport")
            .field("failures", &script.failures)
            .field("attempts", &script.attempts)
            .finish_non_exhaustive()
    }
}

/// Ignores poisoning: the record of a panicked test is still valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
