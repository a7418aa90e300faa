//! The seam that events are sent through.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

use crate::contact::Contact;
use crate::data_event::DataEvent;
use crate::error::SendError;
use crate::receipt::Receipt;

/// Sends one encoded event now, and says how it went.
///
/// A new destination is a new `Transport`. The trait is object safe, and an `Arc` of a transport is
/// a transport. A transport does not retry, and does not wait for better times: its caller does.
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
///         println!("{} with {} bytes", event.name(), event.body().len());
///         Ok(Receipt::delivered(200))
///     }
///
///     async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
///         Err(SendError::new(ErrorKind::Unsupported).with_detail("it only prints events"))
///     }
/// }
/// ```
///
/// A wrapper keeps its inner transport in an `Arc`, and hands on an event with a clone of that:
/// `Arc::clone(&self.inner).send(event)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transport",
    label = "cannot send events",
    note = "a `Result` with a transport in it needs `?`, and a builder needs `.build()?`",
    note = "a boxed transport has to be an `Arc<dyn Transport>`: `Arc::<dyn Transport>::from(boxed)`",
    note = "a type becomes a transport with `#[async_trait] impl Transport for …`"
)]
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the event once.
    ///
    /// With [`Receipt::delivered`] the transport says that it has sent this event alone: events that are
    /// [derived](DataEvent::derived) from it are then handed to it in turn. With [`Receipt::accepted`] it says that it
    /// keeps the event, and the derived ones with it, all or none.
    ///
    /// The future owns the transport, so that it can be spawned as it is.
    ///
    /// # Errors
    ///
    /// Fails when the event was not taken. The error says whether to send it again, and when.
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError>; // the `impl` needs `#[async_trait]`

    /// Creates the contact in Intercom as a user, or finds that it exists.
    ///
    /// # Errors
    ///
    /// Fails when the contact could be neither created nor found. A transport that cannot create
    /// contacts fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError>; // the `impl` needs `#[async_trait]`
}

/// How [`Transport::create_contact`] ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContactCreation {
    /// The contact is new.
    Created,
    /// The contact was there already.
    Existed,
    /// The contact was there and is archived: Intercom takes no events for it until it is unarchived.
    Archived,
}

/// Hands on the box of the inner transport. An `async fn` would put that box into a second one.
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

/// What `async_trait` makes of the trait's `async fn`s.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, SendError>> + Send + 'a>>;
