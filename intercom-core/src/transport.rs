//! The seam that events are sent through.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

use crate::contact::Contact;
use crate::data_event::DataEvent;
use crate::error::{ErrorKind, SendError};
use crate::receipt::Receipt;

/// Sends one encoded event now, and says how it went.
///
/// A new destination is a new `Transport`. It is object safe; `Box`, `Arc` and references of
/// transports are transports. It does not retry and does not wait for better times: that is for who
/// calls it.
///
/// ```
/// use intercom_core::{DataEvent, Receipt, SendError, Transport, async_trait};
///
/// /// Writes what would be sent to the standard output.
/// struct Print;
///
/// #[async_trait]
/// impl Transport for Print {
///     async fn send(&self, event: DataEvent) -> Result<Receipt, SendError> {
///         println!("{} with {} bytes", event.name(), event.body().len());
///         Ok(Receipt::delivered(200))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transport",
    label = "cannot send events",
    note = "a `Result` with a transport in it needs `?`, and a builder needs `.build()?`",
    note = "a type becomes a transport with `#[async_trait] impl Transport for …`"
)]
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the event, once.
    ///
    /// # Errors
    ///
    /// Fails when the event was not taken; the error says whether to send it again, and when.
    async fn send(&self, event: DataEvent) -> Result<Receipt, SendError>;

    /// Makes the contact known to Intercom, as a user. Transports that cannot, fail.
    ///
    /// # Errors
    ///
    /// Fails when the contact could be neither created nor found.
    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        let _ = contact;
        Err(SendError::new(ErrorKind::Unsupported))
    }

    /// Accepts the event for delivery later, without waiting for room. Transports that send at once, fail.
    ///
    /// # Errors
    ///
    /// Fails when the event was not accepted.
    fn try_send(&self, event: DataEvent) -> Result<Receipt, SendError> {
        let _ = event;
        Err(SendError::new(ErrorKind::Unsupported)
            .with_detail("it sends at once, and that takes waiting; use `send`"))
    }

    /// Waits until the transport has been changed in a way that may end a fault, such as by a new access token.
    /// Who holds events back because an operator is needed tries again when this is done.
    ///
    /// A transport that cannot be changed waits for ever: that is the default.
    async fn changed(&self) {
        std::future::pending().await
    }

    /// As [`send`](Self::send), with a future that owns the transport. [`Tracker`](crate::Tracker) calls
    /// it.
    ///
    /// There is no need to write it. Where an allocation an event counts, it saves one: the default puts
    /// the future of `send` into another box.
    fn send_owned(self: Arc<Self>, event: DataEvent) -> OwnedSend
    where
        Self: 'static,
    {
        // Said in full: `self.send` would be that of the `Arc`, in yet another box.
        Box::pin(async move { Self::send(&self, event).await })
    }
}

/// What [`Transport::send_owned`] gives.
pub type OwnedSend = Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send>>;

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

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: Transport + ?Sized> Transport for $pointer {
            async fn send(&self, event: DataEvent) -> Result<Receipt, SendError> {
                T::send(self, event).await
            }

            async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
                T::create_contact(self, contact).await
            }

            fn try_send(&self, event: DataEvent) -> Result<Receipt, SendError> {
                T::try_send(self, event)
            }

            async fn changed(&self) {
                T::changed(self).await
            }
        }
    )*};
}
forward!(&T, Box<T>, Arc<T>);
