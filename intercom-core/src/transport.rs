//! The interface that a tracker sends events through.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

use crate::contact::Contact;
use crate::data_event::DataEvent;
use crate::error::SendError;
use crate::receipt::Receipt;

/// Sends one encoded event, or stores it for later delivery, and returns the outcome.
///
/// Implement `Transport` for a new destination. The trait is object safe, and an `Arc` of a
/// transport is a transport. A transport that sends neither retries nor waits: its caller does.
///
/// ```
/// use std::sync::Arc;
///
/// use intercom_core::{
///     Contact, ContactCreation, DataEvent, ErrorKind, Receipt, SendError, Transport, async_trait,
/// };
///
/// /// Writes each event to the standard output.
/// struct Print;
///
/// #[async_trait]
/// impl Transport for Print {
///     async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
///         println!("{} with {} bytes", event.event_name(), event.body().len());
///         Ok(Receipt::delivered(200))
///     }
///
///     async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
///         Err(SendError::new(ErrorKind::Unsupported).with_detail("it only prints events"))
///     }
/// }
/// ```
///
/// A wrapper keeps its inner transport in an `Arc`, and forwards an event with a clone of that
/// `Arc`: `Arc::clone(&self.inner).send(event)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transport",
    label = "cannot send events",
    note = "a `Delivery` has a tracker: `delivery.tracker()`",
    note = "a `Result` with a transport in it needs `?`, and a builder needs `.build()?`",
    note = "a boxed transport has to be an `Arc<dyn Transport>`: `Arc::<dyn Transport>::from(boxed)`",
    note = "a type becomes a transport with `#[async_trait] impl Transport for …`"
)]
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the event once.
    ///
    /// [`Receipt::delivered`] means that the transport sent this event alone. The tracker then
    /// sends the [derived](DataEvent::derived) events in turn. [`Receipt::accepted`] means that the
    /// transport stored the event and its derived events, all or none.
    ///
    /// The future owns the transport, so that callers can spawn it.
    ///
    /// # Errors
    ///
    /// Fails when the destination did not accept the event, or may not have. The error says whether
    /// to retry, and when.
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError>; // the `impl` needs `#[async_trait]`

    /// Creates the contact in Intercom as a user, or finds that it exists.
    ///
    /// # Errors
    ///
    /// Fails when the transport can neither create nor find the contact. A transport that cannot
    /// create contacts fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError>; // the `impl` needs `#[async_trait]`
}

/// The outcome of a successful [`Transport::create_contact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContactCreation {
    /// The contact is new.
    Created,
    /// The contact existed.
    Existed,
    /// The contact exists and is archived. Intercom refuses events for it until you unarchive it.
    Archived,
}

/// Returns the inner transport's boxed future. An `async fn` would box it a second time.
#[diagnostic::do_not_recommend]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send<'a>(self: Arc<Self>, event: DataEvent) -> Boxed<'a, Receipt>
    where
        Self: 'a,
    {
        T::send(Arc::clone(&self), event)
    }

    fn create_contact<'s, 'c, 'a>(&'s self, contact: &'c Contact) -> Boxed<'a, ContactCreation>
    where
        's: 'a,
        'c: 'a,
        Self: 'a,
    {
        T::create_contact(self, contact)
    }
}

/// The return type that `async_trait` gives the trait's `async fn`s.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, SendError>> + Send + 'a>>;
