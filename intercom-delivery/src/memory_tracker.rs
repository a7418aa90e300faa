//! A tracker with `try_send`, which only an outbox in memory allows.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use intercom_core::{
    Contact, ContactTracker, DataEvent, IdentifiedEvent, IntercomEvent, InvalidEvent, Receipt,
    SendError, ToTimestamp, Tracker,
};

use crate::intake::Intake;
use crate::outbox::MemoryOutbox;

/// A tracker of a delivery in memory, which also accepts events without waiting.
///
/// [`DeliveryBuilder::start_in_memory`](crate::DeliveryBuilder::start_in_memory) returns it. It
/// dereferences to the [`Tracker`] of [`Delivery::tracker`](crate::Delivery::tracker). A tracker over
/// any other outbox has no `try_send`: a disk or a network takes time.
#[derive(Clone)]
pub struct MemoryTracker {
    tracker: Tracker,
    intake: Arc<Intake>,
    memory: Arc<MemoryOutbox>,
}

impl MemoryTracker {
    pub(crate) fn new(tracker: Tracker, intake: Arc<Intake>, memory: Arc<MemoryOutbox>) -> Self {
        MemoryTracker { tracker, intake, memory }
    }

    /// Returns a tracker for events of this contact.
    pub fn for_contact(&self, contact: Contact) -> MemoryContactTracker {
        MemoryContactTracker { tracker: self.tracker.for_contact(contact), parent: self.clone() }
    }

    /// Accepts an event that names its own contact, without waiting: for code that is not `async`.
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread the event, when the outbox is full, and after a
    /// shutdown.
    pub fn try_send<E>(&self, event: &E) -> Result<Receipt, SendError>
    where
        E: IdentifiedEvent,
    {
        self.hand_over(self.tracker.prepare(event))
    }

    /// Accepts an event that happened at `time`, as [`try_send`](Self::try_send) does.
    ///
    /// # Errors
    ///
    /// Fails as [`try_send`](Self::try_send) does.
    pub fn try_send_at<E, T>(&self, event: &E, time: T) -> Result<Receipt, SendError>
    where
        T: ToTimestamp,
        E: IdentifiedEvent,
    {
        self.hand_over(self.tracker.prepare_at(event, time))
    }

    fn hand_over(&self, event: Result<DataEvent, InvalidEvent>) -> Result<Receipt, SendError> {
        let event = event.inspect_err(|error| {
            tracing::debug!(
                event.name = error.event_name().as_str(),
                %error,
                "event not sent: it is invalid"
            );
        })?;
        let name = event.event_name().clone();
        let accepted = self.intake.try_accept(&self.memory, event);
        let accepted = accepted.map_err(|error| error.with_event_name(name.clone()));
        match &accepted {
            Ok(_) => tracing::trace!(event.name = &*name, "event taken"),
            Err(error) => tracing::debug!(event.name = &*name, %error, "event not taken"),
        }
        accepted
    }
}

impl Deref for MemoryTracker {
    type Target = Tracker;

    fn deref(&self) -> &Tracker {
        &self.tracker
    }
}

impl From<MemoryTracker> for Tracker {
    fn from(tracker: MemoryTracker) -> Self {
        tracker.tracker
    }
}

impl fmt::Debug for MemoryTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTracker").finish_non_exhaustive()
    }
}

/// Sends events of one contact. [`MemoryTracker::for_contact`] returns it.
#[derive(Clone)]
pub struct MemoryContactTracker {
    tracker: ContactTracker,
    parent: MemoryTracker,
}

impl MemoryContactTracker {
    /// Accepts an event of this contact, without waiting. A contact that the event's own fields name
    /// takes precedence.
    ///
    /// # Errors
    ///
    /// Fails as [`MemoryTracker::try_send`] does.
    pub fn try_send<E>(&self, event: &E) -> Result<Receipt, SendError>
    where
        E: IntercomEvent,
    {
        self.parent.hand_over(self.tracker.prepare(event))
    }

    /// Accepts an event that happened at `time`, as [`try_send`](Self::try_send) does.
    ///
    /// # Errors
    ///
    /// Fails as [`MemoryTracker::try_send`] does.
    pub fn try_send_at<E, T>(&self, event: &E, time: T) -> Result<Receipt, SendError>
    where
        T: ToTimestamp,
        E: IntercomEvent,
    {
        self.parent.hand_over(self.tracker.prepare_at(event, time))
    }
}

impl Deref for MemoryContactTracker {
    type Target = ContactTracker;

    fn deref(&self) -> &ContactTracker {
        &self.tracker
    }
}

impl fmt::Debug for MemoryContactTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryContactTracker").finish_non_exhaustive()
    }
}
